"""An attacker's view: what whoever has taken over broker or page can do, and that no secret is ever told."""
