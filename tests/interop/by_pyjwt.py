"""Tokens by PyJWT: one JSON line {alg, jwk, token} for each algorithm. Arguments: the claims."""

import json
import secrets
import sys

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, HMACAlgorithm, OKPAlgorithm, RSAAlgorithm

CURVES = {"ES256": ec.SECP256R1, "ES384": ec.SECP384R1, "ES512": ec.SECP521R1}


def pair(alg):
    """A private key for `alg`, and what verifies its signatures, as a JWK."""
    if alg.startswith("HS"):
        secret = secrets.token_bytes(int(alg[2:]) // 8)
        return secret, HMACAlgorithm.to_jwk(secret)
    if alg in CURVES:
        private = ec.generate_private_key(CURVES[alg]())
        return private, ECAlgorithm.to_jwk(private.public_key())
    if alg == "EdDSA":
        private = ed25519.Ed25519PrivateKey.generate()
        return private, OKPAlgorithm.to_jwk(private.public_key())
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return private, RSAAlgorithm.to_jwk(private.public_key())


def main():
    claims = json.loads(sys.argv[1])
    sized = [family + bits for family in ["RS", "PS", "ES", "HS"] for bits in ["256", "384", "512"]]
    for alg in [*sized, "EdDSA"]:
        key, jwk = pair(alg)
        kid = f"pyjwt-{alg}"
        token = jwt.encode(claims, key, algorithm=alg, headers={"kid": kid})
        jwk = {**json.loads(jwk), "kid": kid}
        print(json.dumps({"alg": alg, "jwk": jwk, "token": token}))


main()
