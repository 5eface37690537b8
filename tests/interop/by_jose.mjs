// Tokens by npm `jose`: one JSON line {alg, jwk, token} for each algorithm. Arguments: the claims.
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'

const modules = createRequire(`${process.env.INTEROP}/`)
const jose = await import(pathToFileURL(modules.resolve('jose')).href)
const claims = JSON.parse(process.argv[2])

const asymmetric = [
  'RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519',
]
for (const alg of [...asymmetric, 'HS256', 'HS384', 'HS512']) {
  const kid = `jose-${alg}`
  const header = { alg, kid, typ: 'at+jwt' }
  let key, jwk
  if (alg.startsWith('HS')) {
    key = await jose.generateSecret(alg, { extractable: true })
    jwk = await jose.exportJWK(key)
  } else {
    const pair = await jose.generateKeyPair(alg, { extractable: true })
    key = pair.privateKey
    jwk = await jose.exportJWK(pair.publicKey)
  }
  const token = await new jose.SignJWT(claims).setProtectedHeader(header).sign(key)
  console.log(JSON.stringify({ alg, jwk: { ...jwk, kid, alg, use: 'sig' }, token }))
}
