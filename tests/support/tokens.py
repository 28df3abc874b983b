"""An issuer of tokens in the process of a test: keys of each kind, their public key set, signed tokens."""

import json
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

__all__ = ["AUDIENCE", "ISSUER", "NOW_S", "Issuer"]

ISSUER = "https://issuer.example"
AUDIENCE = "ruvon"
NOW_S = 1_800_000_000
_WRITERS: dict[str, Any] = {"RS256": RSAAlgorithm, "ES256": ECAlgorithm, "EdDSA": OKPAlgorithm}


class Issuer:
    """Signs tokens with one key, and tells its public half."""

    def __init__(self, algorithm: str = "ES256", kid: str = "one", bits: int = 2048) -> None:
        self.algorithm = algorithm
        self.kid = kid
        self.secret: Any = {
            "RS256": lambda: rsa.generate_private_key(65537, bits),
            "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
            "EdDSA": ed25519.Ed25519PrivateKey.generate,
        }[algorithm]()

    def jwk(self, **more: Any) -> dict[str, Any]:
        """The public half."""
        found = json.loads(_WRITERS[self.algorithm].to_jwk(self.secret.public_key()))
        return {**found, "kid": self.kid, "use": "sig", "alg": self.algorithm, **more}

    def key_set(self) -> bytes:
        """The key set that has it."""
        return json.dumps({"keys": [self.jwk()]}).encode()

    def saved(self, folder: Path) -> str:
        """A file with the key set."""
        (folder / "jwks.json").write_bytes(self.key_set())
        return str(folder / "jwks.json")

    def token(self, headers: dict[str, Any] | None = None, **claims: Any) -> str:
        """A token that is good, but for what is given; a claim of None is left out."""
        said = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": "ann",
            "exp": NOW_S + 600,
            "roles": ["operator"],
            "org_id": "ours",
            **claims,
        }
        said = {name: value for name, value in said.items() if value is not None}
        heads = {"kid": self.kid, **(headers or {})}
        heads = {name: value for name, value in heads.items() if value is not None}
        return jwt.encode(said, self.secret, self.algorithm, headers=heads)
