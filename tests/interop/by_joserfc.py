"""Tokens by joserfc: one JSON line {alg, jwk, token} for each algorithm. Arguments: the claims."""

import json
import sys

from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

CURVES = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}


def generate(alg):
    if alg.startswith("HS"):
        return OctKey.generate_key(int(alg[2:]))
    if alg in CURVES:
        return ECKey.generate_key(CURVES[alg])
    if alg.startswith("Ed"):
        return OKPKey.generate_key("Ed25519")
    return RSAKey.generate_key(2048)


def main():
    claims = json.loads(sys.argv[1])
    sized = [family + bits for family in ["RS", "PS", "ES", "HS"] for bits in ["256", "384", "512"]]
    for alg in [*sized, "EdDSA", "Ed25519"]:
        key = generate(alg)
        kid = f"joserfc-{alg}"
        token = jwt.encode({"alg": alg, "kid": kid}, claims, key, algorithms=[alg])
        jwk = {**key.as_dict(private=alg.startswith("HS")), "kid": kid}
        print(json.dumps({"alg": alg, "jwk": jwk, "token": token}))


main()
