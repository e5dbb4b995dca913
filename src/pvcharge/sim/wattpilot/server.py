"""The Wattpilot's WebSocket server, and the task that lets its box live."""

import asyncio
from http import HTTPStatus

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.http11 import Request, Response

from pvcharge.model import Clock
from pvcharge.sim.wattpilot.auth import Algorithm, derive_key
from pvcharge.sim.wattpilot.box import WattpilotBox
from pvcharge.sim.wattpilot.faults import WattpilotFaults
from pvcharge.sim.wattpilot.session import Access, Session, pause

PATH = "/ws"
TICK_S = 1.0
CLOSE_TIMEOUT_S = 0.5


class WattpilotServer:
    """Lets clients talk to a box as they do in the house.

    The box lives while the server runs, with or without clients: once per second of the clock.

    Args:
        box: the charger.
        password: that clients must know.
        clock: paces the box and what it sends.
        host: address to listen on.
        port: to listen on; 0 = any free one.
        hash_mode: "pbkdf2" or "bcrypt", named to the client; None = not named, and clients must know that a
            Flex uses bcrypt and any other box PBKDF2.
        secured: whether writes must be signed, as they must in the house.
        faults: knobs of what goes wrong.
    """

    def __init__(
        self,
        box: WattpilotBox,
        *,
        password: str,
        clock: Clock,
        host: str = "127.0.0.1",
        port: int = 0,
        hash_mode: str | None = None,
        secured: bool = True,
        faults: WattpilotFaults | None = None,
    ) -> None:
        self.box = box
        self.faults = faults or WattpilotFaults()
        self.host = host
        self.port = port
        self._algorithm = Algorithm(hash_mode or (Algorithm.BCRYPT if box.flex else Algorithm.PBKDF2))
        self._password = password
        self._hash_mode = hash_mode
        self._secured = secured
        self._clock = clock
        self._server: Server | None = None
        self._ticker: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        """Where clients connect, once it has started."""
        return f"ws://{self.host}:{self.port}{PATH}"

    async def start(self) -> None:
        """Listen; from then on `port` is the real one.

        Raises:
            OSError: the port is taken.
            ValueError: a serial number that bcrypt cannot be salted with.
        """
        key = await asyncio.to_thread(derive_key, self._password, self.box.serial, self._algorithm)
        access = Access(key, self._hash_mode, self._secured)

        async def serve_client(link: ServerConnection) -> None:
            await Session(link, self.box, access, self.faults, self._clock).run()

        self._server = await serve(
            serve_client,
            self.host,
            self.port,
            process_request=self._admit,
            compression=None,
            ping_interval=None,
            close_timeout=CLOSE_TIMEOUT_S,
        )
        self.port = self._server.sockets[0].getsockname()[1]
        self._ticker = asyncio.create_task(self._live(), name="simulated Wattpilot")

    async def aclose(self) -> None:
        """Close all connections and stop; harmless if it is not running.

        Raises:
            Exception: whatever ended the box's life before.
        """
        server, self._server = self._server, None
        ticker, self._ticker = self._ticker, None
        if server is None or ticker is None:
            return
        ticker.cancel()
        server.close()
        await server.wait_closed()
        (outcome,) = await asyncio.gather(ticker, return_exceptions=True)
        if isinstance(outcome, Exception):
            raise outcome

    async def _live(self) -> None:
        while True:
            self.box.tick(self._clock.now())
            await pause(self._clock, TICK_S)

    def _admit(self, link: ServerConnection, request: Request) -> Response | None:
        """Let a client in, or not: a box that refuses or boots just drops the connection."""
        if request.path.partition("?")[0] != PATH:
            return link.respond(HTTPStatus.NOT_FOUND, "")
        if self.faults.refuse or not self.box.online:
            link.transport.abort()
        return None
