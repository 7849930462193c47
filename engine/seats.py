"""How many long connections one user or one address may hold at one process."""

from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from errors import ApiError
from resolvers.limits import network
from settings import Settings

TOO_MANY = 429


class TooManyConnections(ApiError):
    """This user or address holds as many connections as it may."""

    code, status, message = "TOO_MANY_CONNECTIONS", TOO_MANY, "Too many connections. Close one first."


class Seats:
    """Counts who is connected now. Counted per process: a connection lives and ends with its process anyway."""

    def __init__(self) -> None:
        self._taken: Counter[str] = Counter()

    @property
    def count(self) -> int:
        """How many seats are taken, one of a person and one of an address for each connection of somebody known."""
        return self._taken.total()

    def at_address(self, address: str, settings: Settings) -> AbstractContextManager[None]:
        """A seat among the connections of one address."""
        return self.take(network(address), settings.sockets_per_address)

    def of_user(self, user_id: int, settings: Settings) -> AbstractContextManager[None]:
        """A seat among the connections of one person."""
        return self.take(f"user:{user_id}", settings.sockets_per_user)

    @contextmanager
    def take(self, who: str, most: int) -> Iterator[None]:
        """Hold a seat while the block lasts; TooManyConnections when all are taken."""
        if self._taken[who] >= most:
            raise TooManyConnections
        self._taken[who] += 1
        try:
            yield
        finally:
            self._taken[who] -= 1
            if not self._taken[who]:
                del self._taken[who]
