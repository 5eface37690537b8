"""An issuer on loopback made of PyPI's `canaille`: JWT access tokens of a person.

It prints its issuer, then does what each line of its input says and answers with one line:
`publish` adds a key to its set, `sign` signs with that key from now on, `retire` takes the other
key off the set, `token` prints a new access token, `opaque` one that is no JWT.
"""

import logging
import os
import secrets
import sys
import tempfile
import threading

import httpx
from joserfc.jwk import RSAKey
from werkzeug.serving import make_server

answers = os.fdopen(os.dup(1), "w", buffering=1)
os.dup2(2, 1)
logging.disable(logging.INFO)
os.chdir(tempfile.mkdtemp())

from canaille import create_app  # noqa: E402
from canaille.app import models  # noqa: E402
from canaille.backends import Backend  # noqa: E402

PASSWORD = secrets.token_urlsafe(24)
SECRET = secrets.token_urlsafe(24)


def key():
    return RSAKey.generate_key(2048, auto_kid=True).as_dict(private=True)


server = make_server("127.0.0.1", 0, lambda environ, start: app(environ, start), threaded=True)
address = f"127.0.0.1:{server.port}"
signing, other = key(), None

app = create_app(
    {
        "SECRET_KEY": secrets.token_urlsafe(32),
        "SERVER_NAME": address,
        "PREFERRED_URL_SCHEME": "http",
        "CANAILLE": {"DATABASE": "memory", "SMTP": None},
        "CANAILLE_OIDC": {"ACTIVE_JWKS": [signing], "INACTIVE_JWKS": []},
    }
)
oidc = app.config["CANAILLE_OIDC"]

with app.app_context():
    user = models.User(user_name="alice", family_name="A", emails=["alice@example.com"])
    user.password = PASSWORD
    Backend.instance.save(user)
    client = models.Client(
        client_id="test-api",
        client_secret=SECRET,
        client_name="shop",
        grant_types=["password", "client_credentials"],
        response_types=["none"],
        scope=["openid", "profile"],
        token_endpoint_auth_method="client_secret_basic",
    )
    Backend.instance.save(client)
    client.audience = [client]
    Backend.instance.save(client)

threading.Thread(target=server.serve_forever, daemon=True).start()
issuer = f"http://{address}"
metadata = httpx.get(f"{issuer}/.well-known/openid-configuration").json()


def ask(**form):
    answer = httpx.post(metadata["token_endpoint"], data=form, auth=("test-api", SECRET)).json()
    return answer.get("access_token") or f"no token: {answer}"


def publish():
    global other
    other = key()
    oidc["INACTIVE_JWKS"] = [other]


def sign():
    global signing, other
    signing, other = other, signing
    oidc["ACTIVE_JWKS"], oidc["INACTIVE_JWKS"] = [signing], [other]


def retire():
    oidc["INACTIVE_JWKS"] = []


def token():
    return ask(grant_type="password", username="alice", password=PASSWORD, scope="openid profile")


def opaque():
    return ask(grant_type="client_credentials", scope="profile")


commands = {f.__name__: f for f in (publish, sign, retire, token, opaque)}
print(issuer, file=answers)
for line in sys.stdin:
    print(commands[line.strip()]() or "done", file=answers)
