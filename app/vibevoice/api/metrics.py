"""Prometheus metrics, on a port of their own: they are for the operator, not for the project's users."""

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    PlatformCollector,
    ProcessCollector,
)

from ..engine import Cancelled, Event
from ..studio import Studio

SECONDS = (0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600)
FIRST = (0.05, 0.1, 0.15, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 300)
FACTORS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5)


def registry(studio: Studio) -> CollectorRegistry:
    """The studio's metrics; from now on its engine's events are counted in them."""
    metrics = CollectorRegistry()
    ProcessCollector(registry=metrics)
    PlatformCollector(registry=metrics)
    settings, engine = studio.settings, studio.engine
    Info("vibevoice_studio", "Who this is.", registry=metrics).info(
        {"project": settings.project, "slot": str(settings.slot), "model": settings.model_name}
    )
    for name, text, value in (
        ("ready", "1 while requests may be sent here.", lambda: float(studio.state == "ready")),
        ("generations_running", "Generations under way.", lambda: float(engine.running)),
        ("generations_waiting", "Generations that wait for the GPU.", lambda: float(engine.waiting)),
        (
            "streams_most",
            "Generations that have room at once.",
            lambda: float(engine.capacity().slots),
        ),
        ("kv_used_ratio", "Used share of the memory of what was said.", lambda: engine.capacity().kv_used),
    ):
        Gauge(f"vibevoice_{name}", text, registry=metrics).set_function(value)
    engine.listen(_Count(metrics).event)
    return metrics


class _Count:
    """Counts finished generations, and the engines that they cost."""

    def __init__(self, metrics: CollectorRegistry) -> None:
        self.ended = Counter(
            "vibevoice_generations", "Generations that ended, by how.", ["outcome"], registry=metrics
        )
        for outcome in ("ok", "capped", "cancelled", "error"):
            self.ended.labels(outcome)
        self.audio = Counter("vibevoice_audio_seconds", "Seconds of speech made.", registry=metrics)
        self.frames = Counter("vibevoice_frames", "Frames of speech made.", registry=metrics)
        self.restarts = Counter(
            "vibevoice_engine_restarts", "Engines that died and were replaced.", registry=metrics
        )
        self.waited = Histogram(
            "vibevoice_queue_seconds", "From submission to start.", registry=metrics, buckets=SECONDS
        )
        self.first = Histogram(
            "vibevoice_first_audio_seconds",
            "From submission to the first frame.",
            registry=metrics,
            buckets=FIRST,
        )
        self.took = Histogram(
            "vibevoice_generation_seconds", "From start to end.", registry=metrics, buckets=SECONDS
        )
        self.factor = Histogram(
            "vibevoice_real_time_factor", "Time over length of the speech.", registry=metrics, buckets=FACTORS
        )

    def event(self, event: Event) -> None:
        stream, speech = event.stream, event.speech
        if event.kind == "died":
            self.restarts.inc()
        if event.kind == "started" and stream and stream.started:
            self.waited.observe(stream.started - stream.submitted)
        if event.kind != "finished":
            return
        if stream and stream.first_frame:
            self.first.observe(stream.first_frame - stream.submitted)
        if speech is None:
            self.ended.labels("cancelled" if isinstance(event.error, Cancelled) else "error").inc()
            return
        self.ended.labels("capped" if speech.capped else "ok").inc()
        self.audio.inc(speech.duration)
        self.frames.inc(speech.frames)
        self.took.observe(speech.seconds)
        if speech.duration:
            self.factor.observe(speech.seconds / speech.duration)
