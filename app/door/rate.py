"""How many requests a project may have. Pure."""

LEAST_BURST = 20


class Rate:
    """A bucket that requests empty and time fills; kept as the moment when it will be full again."""

    __slots__ = ("_burst_s", "_each_s", "_full_at")

    def __init__(self) -> None:
        self._full_at = self._each_s = self._burst_s = 0.0

    def allow(self, requests_per_s: float) -> None:
        """From now on as many a second, and two seconds' worth at once, but at least 20."""
        self._each_s = 1 / requests_per_s
        self._burst_s = max(2 * requests_per_s, LEAST_BURST) * self._each_s

    def take(self, now: float) -> float:
        """Seconds to wait, from `now` (Unix seconds); 0: it may pass, and is counted."""
        # The clock may have been set back: nobody waits for it to catch up.
        full_at = min(max(self._full_at, now), now + self._burst_s) + self._each_s
        wait_s = full_at - now - self._burst_s
        # Of a burst, thousands of additions: their rounding must not refuse the last one.
        if wait_s > self._each_s * 1e-3:
            return wait_s
        self._full_at = full_at
        return 0.0
