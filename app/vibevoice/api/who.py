"""Who asks, and which studio: what the routes depend on."""

from typing import Annotated

from fastapi import Depends, Request

from ..jobs.desk import Visitor
from ..studio import Studio


def _studio(request: Request) -> Studio:
    return request.app.state.studio


def _visitor(request: Request) -> Visitor:
    return _studio(request).visitor(request.state.allowance)


TheStudio = Annotated[Studio, Depends(_studio)]
Who = Annotated[Visitor, Depends(_visitor)]
