"""pvcharge: charges an electric car with surplus photovoltaic power."""

__version__ = "0.1.0"
