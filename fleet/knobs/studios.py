"""Knobs of the studios, and of what a project may use."""

from typing import Literal

from pydantic import Field

from fleet.knobs.section import Section
from fleet.quantities import Count, Number, Seconds, Sentence, Size, Text, Url


class Studio(Section):
    """The studio image and its containers."""

    hub: Url = Field(default="https://huggingface.co", description="model hub that weights are fetched from")
    package_index: Url = Field(
        default="https://pypi.org/simple", description="Python package index of the image build"
    )
    torch_index: Url = Field(
        default="https://download.pytorch.org/whl/cu130", description="index that torch comes from"
    )
    device: Literal["auto", "cpu", "cuda"] = Field(default="auto", description="what the engine computes on")
    streams: Count = Field(
        default=8,
        description="generations that one GPU speaks at once; each reserves its memory as it starts",
    )
    steps: Count | None = Field(
        default=None, description="denoising steps for each frame, 5 to 20 are usual; none: the model's own"
    )
    solver: Literal["dpmsolver++", "sde-dpmsolver++"] | None = Field(
        default=None,
        description="how noise becomes speech; sde is said to leave less music; none: the model's own",
    )
    stop_grace_s: Seconds = Field(
        default=12,
        description="seconds a stopping studio gives answers that are open; jobs go on in the next studio",
    )
    exchange_grace_s: Seconds = Field(
        default=300,
        description="the same where a deploy has put another in its place, which speaks for them",
    )
    nodes_at_once: Count = Field(
        default=4,
        description="nodes whose studios are replaced at the same time; on each one after the other",
    )
    idle_minutes: Number = Field(
        default=30,
        description="minutes without a job after which the GPU's memory is given back; 0: never",
    )
    job_days: Count = Field(default=30, description="days that a finished job and its sound are kept")
    disk_reserve: Size = Field(
        default="1GiB",
        validate_default=True,
        description="disk of a node left free; jobs wait rather than take it",
    )
    disclaimer: Sentence | None = Field(
        default=None, description="sentence spoken before every job; none: nothing"
    )
    shm_size: Size = Field(
        default="1GiB", validate_default=True, description="shared memory of a studio container"
    )
    external_image: Text | None = Field(
        default=None,
        description="image by digest in a registry of your own; none: built and kept on the gateway",
    )


class Limits(Section):
    """What one project may use."""

    requests_per_s: Count = Field(default=100, description="requests a second, with bursts of twice as many")
    streams: Count = Field(
        default=32, description="generations and event streams at the same time, over all its studios"
    )
    upload: Size = Field(default="100MiB", validate_default=True, description="largest request body")
    minutes_per_day: Count | None = Field(
        default=None, description="minutes of speech a day (UTC); none: as many as the GPUs make"
    )
    jobs_waiting: Count = Field(default=100, description="jobs that wait for a GPU at the same time")
    minutes_per_job: Count = Field(default=120, description="minutes of speech of one job, as estimated")
    disk: Size = Field(
        default="50GiB",
        validate_default=True,
        description="disk of its jobs; beyond it the oldest that have ended are deleted",
    )
