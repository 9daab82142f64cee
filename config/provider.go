package config

// Descope is the provider that signs people in. project_id and client_secret are
// all that a Descope project needs; issuer makes it any other OpenID provider.
type Descope struct {
	// ID of the Descope project, P2… from the console. client_id and issuer
	// follow from it. Required, unless issuer and client_id are given.
	ProjectID string `yaml:"project_id"`

	// OAuth client ID of the application. Default: project_id.
	ClientID string `yaml:"client_id"`

	// OAuth client secret; at Descope's default application an access key. Hand
	// it in as ${DESCOPE_CLIENT_SECRET}, from the environment or by
	// client_secret_file rather than in the file. Required, or client_secret_file.
	ClientSecret Secret `yaml:"client_secret"`

	// File that holds the client secret, alone. It is read again when it
	// changes. Default: "".
	ClientSecretFile string `yaml:"client_secret_file"`

	// Issuer whose discovery document names the endpoints and whose tokens are
	// taken. Set it for named federated apps, custom domains and other
	// providers; it is compared byte for byte with the tokens' iss. Default:
	// from project_id, https://api.descope.com/<project_id> or its region's host.
	Issuer string `yaml:"issuer"`

	// How the client secret is sent to the token endpoint: basic or post.
	// Default: "", from discovery, basic first.
	TokenAuth string `yaml:"token_auth"`

	// PEM file with the certificate authorities that the provider's certificate
	// must come from, in place of the system's. Default: "".
	CAFile string `yaml:"ca_file"`

	// Scopes that sign-in asks for; openid is required. Without descope.claims
	// Descope tells no roles, permissions and tenants. offline_access is added
	// by session.refresh. Default: [openid, profile, email, descope.claims, descope.custom_claims].
	Scopes []string `yaml:"scopes"`

	// Whether session.refresh adds offline_access to the scopes. Descope and most
	// others give no refresh token without it. Keycloak does, and what it gives
	// with it outlives the person's session there and hears of no logout: false
	// for Keycloak. Default: true.
	OfflineAccess bool `yaml:"offline_access"`

	// Descope flow that the sign-in runs, sent as flow. Default: "", the
	// application's own.
	Flow string `yaml:"flow"`

	// Tenant, by ID or domain, whose SSO every sign-in goes straight to; sent as
	// tenant. A {tenant} host's own tenant goes before it. Default: "".
	Tenant string `yaml:"tenant"`

	// OpenID prompt parameter, such as login or select_account. Default: "".
	Prompt string `yaml:"prompt"`

	// Bearer tokens: audiences that are taken beside client_id and project_id.
	// Each one widens who can get a token for the apps. Default: [].
	Audiences []string `yaml:"audiences"`

	// Bearer tokens: issuers that are taken beside issuer. The first is named to
	// agents as the authorization server. Default: [].
	Issuers []string `yaml:"issuers"`

	// Bearer tokens: whether Descope session JWTs (drn DS), which name no
	// audience, are taken too. Any application of the project can then pass its
	// users' tokens on to the apps. Needs project_id. Default: false.
	SessionTokens bool `yaml:"session_tokens"`
}
