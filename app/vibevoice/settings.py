"""What the environment says: every knob of a studio, once."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator

from . import logs
from .door import public_key

PREFIX = "VV_"
_SIZE = re.compile(r"(\d+(?:\.\d+)?) ?(GiB|MiB|)")
_UNITS = {"GiB": 2**30, "MiB": 2**20, "": 1}


class SettingsError(Exception):
    """The environment cannot be right; the message has a line for each mistake."""


def _bytes(value: object) -> object:
    """`20GiB` as a number of bytes."""
    if not isinstance(value, str):
        return value
    if not (match := _SIZE.fullmatch(value)):
        raise ValueError("should be a size such as 20GiB, 512MiB or a number of bytes")
    return int(float(match[1]) * _UNITS[match[2]])


Size = Annotated[int, BeforeValidator(_bytes), Field(gt=0)]


class Settings(BaseModel):
    """Read from the environment: `VV_PORT` sets `port`, and so on."""

    model_config = ConfigDict(frozen=True)

    project: str = Field("studio", description="The project's name: title of the page, label of the metrics.")
    slot: int = Field(0, ge=0, description="Which of the node's GPUs: label of the metrics, lock of a CPU.")
    root_path: str = Field(
        "", pattern=r"^(/[^/]+)*$", description="Path below which a proxy serves the page (and strips it)."
    )
    model_dir: Path = Field(Path("/weights"), description="The checkpoint, in transformers' format.")
    model_name: str = Field("vibevoice", description="The checkpoint's name in /v1/models and metrics.")
    lock_dir: Path | None = Field(None, description="Lock files, one for each GPU; None: nobody shares one.")
    data_dir: Path = Field(
        Path("/data"),
        description="The project's folder, the same for all its studios on a node: its jobs and their sound, "
        "voices, minutes spoken, open streams.",
    )
    shared: bool = Field(
        False, description="Everybody of the project sees all its jobs and voices, not only their own."
    )
    door_key: str = Field(
        "",
        description="The public key of the gateway's door, base64 of 32 bytes: only what came through it is "
        "taken, within its limits. Empty: no door, no limits, and its header is ignored.",
    )
    device: str = Field("auto", description="auto, cpu, cuda, or a device of torch's such as cuda:0.")
    host: str = Field("0.0.0.0", description="Address to listen on.")
    port: int = Field(8888, ge=0, lt=65536, description="Page and API.")
    metrics_port: int = Field(9100, ge=0, lt=65536, description="Prometheus metrics.")
    log_format: logs.Format = Field(
        "json", description="A JSON object for each line of the log, or text for a terminal."
    )
    streams: int = Field(8, ge=1, le=256, description="Generations spoken at once, a frame of each in turn.")
    steps: int | None = Field(
        None, ge=1, le=1000, description="Denoising steps for each frame; None: the checkpoint's own."
    )
    dtype: Literal["bfloat16", "float32", "float64"] | None = Field(
        None, description="Of the model's numbers; None: bfloat16 on a GPU, float32 on a CPU."
    )
    solver: Literal["dpmsolver++", "sde-dpmsolver++"] | None = Field(
        None,
        description="How noise becomes speech: dpmsolver++, or sde-dpmsolver++ (fresh noise in each step, "
        "said to leave less of unwanted music); None: the checkpoint's own.",
    )
    kv_memory: Size | None = Field(
        None,
        description="Memory for what streams have said so far, in bytes or as 20GiB, 512MiB; a 90-minute "
        "stream of the 1.5B takes about 2.9 GB. None: what the GPU has left, 1 GiB on a CPU.",
    )
    stall_s: float = Field(
        60, gt=1, description="Seconds of silence after which a hung engine is ended and started again."
    )
    idle_s: float = Field(
        1800,
        ge=0,
        description="Seconds without a job after which the engine ends and gives the GPU's memory back; the "
        "next job starts it again. 0: never.",
    )
    lease_s: float = Field(
        15,
        gt=1,
        description="Seconds of silence after which another studio goes on with a studio's jobs.",
    )
    max_waiting: int = Field(
        8, ge=0, description="Requests for speech that may wait besides; more get a 429."
    )
    jobs_waiting: int = Field(100, ge=1, description="Jobs of the project that may wait; more get a 429.")
    job_minutes: float = Field(120, gt=0, description="Longest job, in minutes of speech as estimated.")
    max_input_chars: int = Field(100_000, gt=0, description="Longest script, about 90 minutes of speech.")
    disk: Size = Field(
        50 * 2**30,
        description="Disk that the project's jobs may fill, in bytes or as 50GiB; beyond it the oldest that "
        "have ended go.",
    )
    disk_reserve: Size = Field(
        2**30, description="Disk that is left free, in bytes or as 1GiB: jobs wait rather than take it."
    )
    job_days: float = Field(30, gt=0, description="Days after its end that a job is kept.")
    disclaimer: str = Field(
        "",
        max_length=500,
        description="What the first voice says before each job, such as: This is an AI-generated voice.",
    )
    heartbeat_s: float = Field(5, gt=0, description="Seconds between heartbeats of event streams.")
    drain_s: float = Field(
        3,
        ge=0,
        description="Seconds from 'not ready' to taking no more: the proxy's time to notice.",
    )
    stop_grace_s: float = Field(
        12,
        ge=0,
        description="Seconds after SIGTERM and drain_s that open answers get; jobs are handed over at once.",
    )
    exchange_grace_s: float = Field(
        300,
        ge=0,
        description="The same where another studio has been lent the GPU (SIGUSR1), and speaks for them.",
    )

    @field_validator("door_key")
    @classmethod
    def _is_a_key(cls, value: str) -> str:
        # Refused now: a key that is none would keep everybody out, an unread one let everybody in.
        if value:
            public_key(value)
        return value

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> "Settings":
        """The settings an environment asks for. Raises SettingsError; an empty value counts as unset."""
        given = {
            name: environ[PREFIX + name.upper()]
            for name in cls.model_fields
            if PREFIX + name.upper() in environ
        }
        try:
            return cls.model_validate({name: value for name, value in given.items() if value})
        except ValidationError as error:
            lines = [
                f"{PREFIX}{str(e['loc'][0]).upper()} is {e['input']!r}: {e['msg'].lower()}"
                for e in error.errors()
            ]
            raise SettingsError("\n".join(lines)) from None
