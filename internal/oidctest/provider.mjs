// An OpenID Connect issuer for tests: npm's oidc-provider, set up as a bank would set up its own for the gateway. What
// it is to be comes on standard input, as one JSON object; it answers on 127.0.0.1 until it is killed.
//
//	{"issuer": "http://127.0.0.1:4000", "port": 4000, "keys": [private JWKs, the one that signs first], "password": "…"}
import { createServer } from "node:http";
import { text } from "node:stream/consumers";
import Provider, { errors } from "oidc-provider";

const { issuer, port, keys, password } = JSON.parse(await text(process.stdin));
const [signing] = keys;

// The programs that access tokens are for, as clients name them (RFC 8707: a URI), and what their tokens say.
const resources = {
  "https://istirdad.example": { audience: "istirdad", accessTokenTTL: 600 },
  "https://istirdad.example/brief": { audience: "istirdad", accessTokenTTL: 3 },
  "https://payroll.example": { audience: "payroll", accessTokenTTL: 600 },
};

const provider = new Provider(issuer, {
  clients: [
    {
      client_id: "bank-app",
      token_endpoint_auth_method: "none",
      redirect_uris: ["https://app.example/callback"],
      id_token_signed_response_alg: signing.alg,
    },
    {
      client_id: "night-job",
      client_secret: password,
      grant_types: ["client_credentials"],
      response_types: [],
      redirect_uris: [],
      id_token_signed_response_alg: signing.alg,
    },
  ],
  jwks: { keys },
  cookies: { keys: [password] },
  scopes: ["openid"],
  findAccount: (_, accountId) => ({ accountId, claims: () => ({ sub: accountId }) }),

  // By itself an access token of RFC 9068 doesn't say in which session it was given.
  extraTokenClaims: (_, token) => ({ sid: token.sessionUid }),

  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    resourceIndicators: {
      enabled: true,
      useGrantedResource: () => true,
      getResourceServerInfo: (_, resource) => {
        const info = resources[resource];
        if (!info) throw new errors.InvalidTarget();
        return {
          ...info,
          scope: "refunds",
          accessTokenFormat: "jwt",
          jwt: { sign: { alg: signing.alg, kid: signing.kid } },
        };
      },
    },
  },

  // Its clients are the bank's own, so nobody is asked whether they may have what they ask for.
  loadExistingGrant: async ({ oidc }) => {
    const grant = new oidc.provider.Grant({ clientId: oidc.client.clientId, accountId: oidc.session.accountId });
    grant.addOIDCScope("openid");
    for (const resource of Object.keys(oidc.resourceServers ?? {})) grant.addResourceScope(resource, "refunds");
    await grant.save();
    return grant;
  },
  interactions: { url: (_, { uid }) => `/sign-in/${uid}` },
});
provider.on("server_error", (_, error) => console.error(error));

// The bank's sign-in page.
async function signIn(request, response) {
  if (request.method !== "POST") {
    response.setHeader("Content-Type", "text/html");
    response.end('<form method="post"><input name="user"><input name="password" type="password"><button>Sign in</button></form>');
    return;
  }
  const form = new URLSearchParams(await text(request));
  if (form.get("password") !== password) {
    response.writeHead(401).end();
    return;
  }
  await provider.interactionFinished(request, response, { login: { accountId: form.get("user") } });
}

const standard = provider.callback();
createServer((request, response) => {
  if (!request.url.startsWith("/sign-in/")) {
    standard(request, response);
    return;
  }
  signIn(request, response).catch((error) => {
    console.error(error);
    response.writeHead(500).end();
  });
}).listen(port, "127.0.0.1");
