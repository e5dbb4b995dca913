"""REST under `<base>/api/v1`: one table of routes, from which handlers and the OpenAPI document are made."""

PREFIX = "/api/v1"
