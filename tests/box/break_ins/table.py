"""Every break-in try, and the honest requests beside them that must succeed."""

from __future__ import annotations

from tests.box.break_ins import (
    accounts,
    cookies,
    forms,
    headers,
    http2_tries,
    jwts,
    paths,
    redirects,
    smuggling,
    targets,
    tokens,
)

_GROUPS = (paths, headers, targets, http2_tries, cookies, tokens, redirects, forms, smuggling)
TRIES = tuple(one for group in (*_GROUPS, jwts, accounts) for one in group.tries())
CONTROLS = tuple(one for group in _GROUPS for one in group.controls())
# On a site that trusts an issuer of tokens.
ISSUERS_CONTROLS = tuple(jwts.issuers_controls())

assert len({str(one) for one in TRIES}) == len(TRIES), "two tries of one name"
assert {one.group for one in TRIES} == {one.group for one in CONTROLS}, "a group without a control"
