"""What the command `pvcharge login solaredge` does: send the owner to a page, take the code from there."""

from pvcharge.drivers.base import DriverContext
from pvcharge.drivers.solaredge.client import SolarEdgeClient
from pvcharge.drivers.solaredge.oauth import authorize_url, extract_code
from pvcharge.drivers.solaredge.settings import SolarEdgeSettings


async def exchange(settings: SolarEdgeSettings, context: DriverContext, pasted: str) -> None:
    """Redeem the code of a login and store the tokens where the driver finds them, even while it runs.

    Args:
        settings: the table of the configuration.
        context: state_dir gets the token file.
        pasted: the code, or the address to which the browser was sent back.

    Raises:
        AuthError: there is no code in it, it is for another site, or it is refused.
        PermanentError: these settings need no login, or the tokens cannot be stored.
        DriverError: SolarEdge could not be asked.
    """
    authorize_url(settings)  # refuses settings that need no login
    code = extract_code(pasted, settings.site_id)
    client = SolarEdgeClient(settings, context)
    try:
        await client.login.redeem(code)
    finally:
        await client.aclose()
