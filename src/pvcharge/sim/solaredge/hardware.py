"""The devices of the simulated site, as both APIs name them."""

SITE_NAME = "Simulated house"
ACCOUNT_ID = 40001
CITY = "Linz"
COUNTRY = "Austria"
PEAK_POWER_KWP = 9.8
INSTALLED_ON = "2021-04-01"
PRODUCED_BEFORE_WH = 41_500_000.0  # over the life of the site, before the simulation began

INVERTER_SERIAL = "7E0A11C4-3B"
GRID_METER_SERIAL = "5300817"
PRODUCTION_METER_SERIAL = "5300825"
BATTERY_SERIAL = "BT9700012"
