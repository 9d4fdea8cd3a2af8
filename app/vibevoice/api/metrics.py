"""Prometheus metrics, on a port of their own: they are for the operator, not for the project's users.

Named as vLLM names its own, so that dashboards and alerts need another prefix and little else.
"""

from collections import Counter as Count
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram, Info, PlatformCollector, ProcessCollector
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from ..engine import Event
from ..jobs.model import Job
from ..jobs.runner import RunnerEvent
from ..jobs.store import StoreError
from ..studio import Studio

QUEUE = (0.1, 0.3, 1, 3, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200)
FIRST = (0.1, 0.2, 0.3, 0.5, 0.75, 1, 2, 5, 10, 30, 60, 300, 1800, 3600)
LATENCY = (0.3, 1, 3, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200)
FACTORS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 2, 5)
LABELS = ("project", "user")
REASONS = ("stop", "length", "abort", "error")
"""vLLM's words: the model came to its end; it was cut off; somebody cancelled; it failed."""
MOST_USERS = 200
OTHER = "other"


def registry(studio: Studio) -> CollectorRegistry:
    """The studio's metrics; from now on its runner's and engine's events are counted in them."""
    metrics = CollectorRegistry()
    ProcessCollector(registry=metrics)
    PlatformCollector(registry=metrics)
    settings, users = studio.settings, Users()
    Info("vibevoice:studio", "Who this is.", registry=metrics).info(
        {"project": settings.project, "slot": str(settings.slot), "model": settings.model_name}
    )
    metrics.register(Now(studio, users))
    counted = Counted(metrics, settings.project, users)
    studio.runner.listen(counted.spoken)
    studio.engine.listen(counted.engine)
    return metrics


class Users:
    """A user's name as a label: of so many, lest a project of thousands makes as many series."""

    def __init__(self) -> None:
        self._known: set[str] = set()

    def label(self, user: str) -> str:
        """For any thread: one too many would do no harm."""
        if user not in self._known:
            if len(self._known) >= MOST_USERS:
                return OTHER
            self._known.add(user)
        return user


class Now(Collector):
    """What is so at the moment of the question, which is asked in a thread of its own."""

    def __init__(self, studio: Studio, users: Users) -> None:
        self._studio, self._users = studio, users

    def collect(self) -> Iterator[Metric]:
        """A gauge for each."""
        studio, engine = self._studio, self._studio.engine
        room = engine.capacity()
        yield self._one("ready", "1 while jobs are taken here.", studio.state == "ready")
        yield self._one("engine_sleep_state", "1 while the engine sleeps.", engine.state == "asleep")
        yield self._one(
            "engine_ready", "1 while the engine has its model on the GPU.", engine.state == "ready"
        )
        yield self._one("num_streams_max", "Jobs that are spoken at once.", room.slots)
        yield self._one("kv_cache_usage_perc", "Reserved share of the KV cache, 0 to 1.", room.kv_used)
        yield self._one("disk_used_bytes", "Disk that the project's jobs take.", studio.upkeep.used_bytes)
        try:
            yield self._one("disk_free_bytes", "Disk that is free.", studio.store.room(0))
            yield from self._jobs()
        except StoreError:
            # `ready` tells of it; what is not known is left out.
            return

    def _jobs(self) -> Iterator[Metric]:
        running, waiting = Count[str](), Count[str]()
        for user, state, runner, count in self._studio.store.shares():
            if state == "queued":
                waiting[self._users.label(user)] += count
            elif runner == self._studio.name:
                running[self._users.label(user)] += count
        for name, text, counts in (
            ("num_requests_running", "Jobs that this studio speaks.", running),
            ("num_requests_waiting", "Jobs of the project that wait, for any of its studios.", waiting),
        ):
            gauge = GaugeMetricFamily(f"vibevoice:{name}", text, labels=LABELS)
            # Nobody's is there as well, so that none is 0 and not absent.
            for user in counts or ("",):
                gauge.add_metric([self._studio.settings.project, user], counts[user])
            yield gauge

    def _one(self, name: str, text: str, value: float) -> Metric:
        gauge = GaugeMetricFamily(f"vibevoice:{name}", text, labels=["project"])
        gauge.add_metric([self._studio.settings.project], float(value))
        return gauge


class Counted:
    """What has happened since the process began."""

    def __init__(self, metrics: CollectorRegistry, project: str, users: Users) -> None:
        self._project, self._users = project, users
        # Of jobs that this runner speaks: sound, and time on the GPU, in seconds.
        self._under_way: dict[str, tuple[float, float]] = {}

        def counter(name: str, text: str, *more: str) -> Counter:
            return Counter(f"vibevoice:{name}", text, [*LABELS, *more], registry=metrics)

        def histogram(name: str, text: str, buckets: tuple[float, ...]) -> Histogram:
            return Histogram(f"vibevoice:{name}", text, LABELS, registry=metrics, buckets=buckets)

        self._success = counter("request_success", "Jobs that ended, by how.", "finished_reason")
        self._audio = counter("audio_seconds", "Seconds of speech made.")
        self._busy = counter("gpu_busy_seconds", "Seconds that the GPU took for it.")
        self._waited = histogram("request_queue_time_seconds", "From submission to a runner.", QUEUE)
        self._first = histogram("time_to_first_audio_seconds", "From submission to the first sound.", FIRST)
        self._took = histogram("e2e_request_latency_seconds", "From submission to the end.", LATENCY)
        self._factor = histogram(
            "audio_rtf", "Seconds on the GPU for a second of speech, of each job.", FACTORS
        )
        self._restarts = Counter(
            "vibevoice:engine_restarts", "Engines that died and were replaced.", ["project"], registry=metrics
        )
        self._restarts.labels(project)
        for reason in REASONS:
            self._success.labels(project, "", reason)

    def spoken(self, event: RunnerEvent) -> None:
        """The runner's event, in its thread."""
        job = event.job
        labels = self._project, self._users.label(job.user)
        match event.kind:
            case "claimed":
                self._waited.labels(*labels).observe(event.seconds)
            case "first_audio":
                self._first.labels(*labels).observe(event.seconds)
            case "seconds":
                self._audio.labels(*labels).inc(event.audio_s)
                self._busy.labels(*labels).inc(event.busy_s)
                audio, busy = self._under_way.get(job.id, (0.0, 0.0))
                self._under_way[job.id] = audio + event.audio_s, busy + event.busy_s
            case "ended":
                self._success.labels(*labels, _reason(job)).inc()
                self._took.labels(*labels).observe(event.seconds)
                audio, busy = self._under_way.pop(job.id, (0.0, 0.0))
                if audio:
                    self._factor.labels(*labels).observe(busy / audio)

    def engine(self, event: Event) -> None:
        """The engine's event, in its thread."""
        if event.kind == "died":
            self._restarts.labels(self._project).inc()


def _reason(job: Job) -> str:
    if job.state == "done":
        return "length" if any(s.heard and s.heard.capped for s in job.segments) else "stop"
    return "abort" if job.state == "cancelled" else "error"
