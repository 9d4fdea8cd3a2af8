"""JSON Web Tokens that the site's issuer did not sign, or not for this. They are of the group of tokens."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa

from tests.box.break_ins.judge import Control, Try
from tests.box.break_ins.tokens import bearer, refused, sender
from tests.box.break_ins.tokens_made import Issuer, by_secret, signed_part, token
from tests.box.break_ins.world import World, studio


def tries() -> Iterator[Try]:
    """A site without an issuer believes none at all, whoever signed it."""
    stranger = Issuer("https://issuer.example", "vibevoice")
    forger = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def trusted(world: World) -> Issuer:
        return world.issuer or stranger

    def forged(world: World) -> Issuer:
        return Issuer(trusted(world).issuer, trusted(world).audience, forger)

    def none(alg: str) -> Callable[[World], str]:
        return lambda world: token({"alg": alg, "typ": "JWT", "kid": "1"}, trusted(world).claims())

    def confused(secret: Callable[[Issuer], bytes], **header: Any) -> Callable[[World], str]:
        whole = {"alg": "HS256", "typ": "JWT", "kid": "1"} | header
        return lambda world: by_secret(whole, trusted(world).claims(), secret(trusted(world)))

    def claiming(**changes: Any) -> Callable[[World], str]:
        return lambda world: trusted(world).token(trusted(world).claims(**changes))

    def headed(**header: Any) -> Callable[[World], str]:
        return lambda world: trusted(world).token(**header)

    def other_payload(world: World) -> str:
        good = trusted(world)
        part = signed_part({"alg": "RS256", "typ": "JWT", "kid": "1"}, good.claims(sub="root"))
        return f"{part}.{good.token().rpartition('.')[2]}"

    def own_key(world: World) -> str:
        return forged(world).token(jwk=forged(world).jwk)

    def own_address(world: World) -> str:
        return forged(world).token(jku="https://evil.example/jwks", x5u="https://evil.example/x")

    made: dict[str, Callable[[World], str]] = {
        "alg none": none("none"),
        "alg None": none("None"),
        "alg nOnE": none("nOnE"),
        "no alg": lambda world: token({"typ": "JWT"}, trusted(world).claims()),
        "an empty alg": none(""),
        "HS256 with the public key": confused(lambda issuer: issuer.pem),
        "HS256 with the public key, without its line break": confused(lambda issuer: issuer.pem.strip()),
        "HS256 with the modulus": confused(lambda issuer: issuer.modulus.encode()),
        "HS256 with nothing": confused(lambda issuer: b""),
        "HS256 with a file as the key": confused(lambda issuer: b"", kid="../../../../dev/null"),
        "HS256 with an SQL injection as the key": confused(lambda issuer: b"x", kid="x' UNION SELECT 'x"),
        "HS256 under RS256's name": lambda world: by_secret(
            {"alg": "RS256", "typ": "JWT", "kid": "1"}, trusted(world).claims(), trusted(world).pem
        ),
        "ES256 with a signature of zeros": lambda world: token(
            {"alg": "ES256", "typ": "JWT", "kid": "1"}, trusted(world).claims(), bytes(64)
        ),
        "another key under the right name": lambda world: forged(world).token(),
        "an unknown key": lambda world: forged(world).token(kid="2"),
        "a key of its own in the header": own_key,
        "a key's address in the header": own_address,
        "a signature left out": lambda world: trusted(world).token().rpartition(".")[0] + ".",
        "another content under a good signature": other_payload,
        "a truncated signature": lambda world: trusted(world).token()[:-4],
        "four parts": lambda world: trusted(world).token() + ".AAAA",
        "an unknown issuer": claiming(iss="https://evil.example"),
        "the issuer with a slash more": lambda world: trusted(world).token(
            trusted(world).claims(iss=trusted(world).issuer + "/")
        ),
        "no issuer": claiming(iss=None),
        "another audience": claiming(aud="another"),
        "a list of other audiences": claiming(aud=["another", "vibevoice2"]),
        "no audience": claiming(aud=None),
        "expired": claiming(exp=1_700_000_000),
        "no end": claiming(exp=None),
        "an end that is a text": claiming(exp="never"),
        "not yet": claiming(nbf=4_000_000_000),
        "no name": claiming(sub=None),
        "a critical extension": headed(crit=["admin"], admin=True),
        "another type": headed(typ="logout+jwt"),
    }
    for name, make in made.items():
        yield refused(f"JWT: {name}", "nobody", bearer(make))
    # Good tokens, of people who are in no group of the project. A site without an issuer knows nobody.
    for name, changes in (
        ("no groups", {"groups": None}),
        ("another group", {"groups": ["debate"]}),
        ("a group in another case", {"groups": ["Podcast"]}),
        ("a group that it qualifies itself", {"groups": ["ci:podcast"]}),
        ("a provider's group", {"groups": ["corp:podcast", "corp:*"]}),
        ("a joker for a group", {"groups": ["*"]}),
        ("the name of one who may", {"groups": [], "sub": "li"}),
    ):
        yield refused(f"JWT: {name}", "a program", bearer(claiming(**changes)), 401, 403)
    good = bearer(lambda world: trusted(world).token())
    yield refused("JWT: for podcast, at debate", "a program", good, 401, 403, path=studio("debate"))


def issuers_controls() -> Iterator[Control]:
    """On a site that trusts an issuer."""

    def good(world: World) -> str:
        assert world.issuer
        return world.issuer.token()

    yield Control("tokens", "a program's token", "podcast", "ci:robot", sender(bearer(good)))
