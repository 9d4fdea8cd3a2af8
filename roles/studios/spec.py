"""The studio container of one GPU, to the last argument. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from fleet import Project, Site, names
from fleet.locks import Lock
from roles.studios.labels import traefik_labels

USER = "10001:10001"
PORT, METRICS_PORT = 8888, 9100
# What a stop takes besides the grace for open answers: what comes before and after, and a reserve.
LEAVING_S = 15


@dataclass(frozen=True)
class Studio:
    """A studio container as it has to run.

    Args:
        project, slot: where it belongs.
        spec: eight digits of the hash of everything that made it.
        name: the container's.
        image: reference by digest.
        arguments: `docker create` and everything after it.
    """

    project: str
    slot: int
    spec: str
    name: str
    image: str
    arguments: tuple[str, ...]


def studio(site: Site, project: Project, slot: int, uuid: str, image: str, door_key: str) -> Studio:
    """The studio of a project on a slot.

    Args:
        uuid: of the GPU on that slot.
        image: reference by digest.
        door_key: what the door's words on limits are verified with.
    """
    model = site.model(project.model)
    revision = Lock.read(model.lock).revision
    tokens = [*_limits(site, uuid), *_network(project), *_mounts(project, model.name, revision)]
    environment = _environment(site, project, slot) | {"VV_DOOR_KEY": door_key}
    for key, value in environment.items():
        tokens += ["--env", f"{key}={value}"]
    routing = traefik_labels(project.name, slot)
    # Everything that defines the container, and nothing that only names it.
    spec = names.spec8({"image": image, "tokens": tokens, "labels": routing, "revision": revision})
    labels = routing | names.labels(
        site=site.name,
        project=project.name,
        slot=slot,
        spec=spec,
        image=image.rpartition("@")[2],
        revision=revision,
    )
    for key, value in sorted(labels.items()):
        tokens += ["--label", f"{key}={value}"]
    name = names.container(project.name, slot, spec)
    return Studio(
        project=project.name,
        slot=slot,
        spec=spec,
        name=name,
        image=image,
        arguments=("docker", "create", "--name", name, *tokens, image),
    )


def _limits(site: Site, uuid: str) -> list[str]:
    """Exactly one GPU, whatever the image's environment says; nothing else of the host."""
    return [
        "--device",
        f"nvidia.com/gpu={uuid}",
        "--user",
        USER,
        "--read-only",
        "--tmpfs",
        "/tmp",
        "--cap-drop",
        "ALL",
        "--security-opt",
        "no-new-privileges",
        "--shm-size",
        str(site.studio.shm_size),
        "--restart",
        "unless-stopped",
        "--stop-timeout",
        str(site.studio.stop_grace_s + LEAVING_S),
        *_liveness(),
    ]


def _liveness() -> list[str]:
    """Alive, not ready: Traefik drops an unhealthy container altogether.

    Said here, because the image's own HEALTHCHECK is lost: it is no part of the OCI format, and only that
    format has zstd layers.
    """
    return [
        "--health-cmd",
        "python -I -S /opt/app/vibevoice/live.py",
        "--health-interval",
        "5s",
        # The question has a limit of its own (live.py). Docker's counts its own start, too, which takes
        # seconds where CPU is short: no studio may go for that. Three in a row, and the watch restarts it.
        "--health-timeout",
        "30s",
        "--health-retries",
        "3",
        "--health-start-period",
        "120s",
        # Found alive within a second of being so, instead of after an interval.
        "--health-start-interval",
        "1s",
    ]


def _network(project: Project) -> list[str]:
    return ["--network", names.network(project.name)]


def _mounts(project: Project, model: str, revision: str) -> list[str]:
    return [
        "--mount",
        f"type=bind,src=/srv/vibevoice/weights/{model}/{revision},dst=/weights,readonly",
        "--mount",
        f"type=bind,src=/srv/vibevoice/projects/{project.name},dst=/data",
        "--mount",
        "type=bind,src=/srv/vibevoice/gpus,dst=/gpus",
    ]


def _environment(site: Site, project: Project, slot: int) -> dict[str, str]:
    limits = project.limits
    return {
        "VV_PROJECT": project.name,
        "VV_SLOT": str(slot),
        "VV_ROOT_PATH": names.path(project.name),
        "VV_MODEL_DIR": "/weights",
        "VV_MODEL_NAME": project.model,
        "VV_DATA_DIR": "/data",
        "VV_LOCK_DIR": "/gpus",
        "VV_DEVICE": site.studio.device,
        "VV_STREAMS": str(site.studio.streams),
        **({"VV_STEPS": str(site.studio.steps)} if site.studio.steps else {}),
        **({"VV_SOLVER": site.studio.solver} if site.studio.solver else {}),
        "VV_PORT": str(PORT),
        "VV_METRICS_PORT": str(METRICS_PORT),
        "VV_STOP_GRACE_S": str(site.studio.stop_grace_s),
        "VV_EXCHANGE_GRACE_S": str(site.studio.exchange_grace_s),
        "VV_SHARED": str(project.shared).lower(),
        "VV_JOBS_WAITING": str(limits.jobs_waiting),
        "VV_JOB_MINUTES": str(limits.minutes_per_job),
        "VV_DISK": str(limits.disk),
        "VV_DISK_RESERVE": str(site.studio.disk_reserve),
        "VV_JOB_DAYS": str(site.studio.job_days),
        "VV_IDLE_S": str(site.studio.idle_minutes * 60),
        **({"VV_DISCLAIMER": site.studio.disclaimer} if site.studio.disclaimer else {}),
    }
