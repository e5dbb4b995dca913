"""What tests ask of a configuration."""

from typing import Any

from pvcharge.config import Config


def charger_settings(config: Config) -> Any:
    """Return the settings of the charger, which must be there."""
    assert config.charger is not None
    return config.charger.settings
