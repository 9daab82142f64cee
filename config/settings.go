package config

// settings is every key outside routes and tests, with its default and the place
// in the Config that its value goes to. Keys of sections have dots.
func settings(c *Config) []field {
	return []field{
		{name: "listen", fallback: "127.0.0.1:8000", take: listenAddress(&c.Listen)},
		{name: "public_url", take: publicURL(&c.PublicURL)},
		{name: "auth_path", fallback: "/auth", take: authPath(&c.AuthPath)},
		{name: "sign_in", fallback: "page", take: oneOf(&c.SignIn, "page", "direct")},
		{name: "landing", fallback: "first", take: oneOf(&c.Landing, "first", "portal")},
		{name: "trusted_proxies", fallback: "[]", take: networks(&c.TrustedProxies)},
		{name: "drain_delay", fallback: "0s", take: duration(&c.DrainDelay)},
		{name: "drain_timeout", fallback: "30s", take: duration(&c.DrainTimeout)},

		{name: "tls.cert_file", take: filePath(&c.TLS.CertFile)},
		{name: "tls.key_file", take: filePath(&c.TLS.KeyFile)},
		{name: "tls.acme.email", take: text(&c.TLS.ACME.Email)},
		{name: "tls.acme.directory", take: text(&c.TLS.ACME.Directory, isHTTPURL)},
		{name: "tls.acme.storage", take: filePath(&c.TLS.ACME.Storage)},
		{name: "tls.redirect_listen", take: listenAddress(&c.TLS.RedirectListen)},

		{name: "admin.listen", fallback: "127.0.0.1:9090", take: listenAddress(&c.Admin.Listen)},

		{name: "descope.project_id", take: text(&c.Descope.ProjectID, isOneWord)},
		{name: "descope.client_id", take: text(&c.Descope.ClientID, isOneWord)},
		{name: "descope.client_secret", take: secret(&c.Descope.ClientSecret)},
		{name: "descope.client_secret_file", take: filePath(&c.Descope.ClientSecretFile)},
		{name: "descope.issuer", take: text(&c.Descope.Issuer, isIssuer)},
		{name: "descope.token_auth", take: oneOf(&c.Descope.TokenAuth, "", "basic", "post")},
		{name: "descope.ca_file", take: filePath(&c.Descope.CAFile)},
		{name: "descope.scopes", fallback: "[openid, profile, email, descope.claims, descope.custom_claims]", take: texts(&c.Descope.Scopes, isOneWord)},
		{name: "descope.offline_access", fallback: "true", take: boolean(&c.Descope.OfflineAccess)},
		{name: "descope.flow", take: text(&c.Descope.Flow)},
		{name: "descope.tenant", take: text(&c.Descope.Tenant)},
		{name: "descope.prompt", take: text(&c.Descope.Prompt)},
		{name: "descope.audiences", fallback: "[]", take: texts(&c.Descope.Audiences)},
		{name: "descope.issuers", fallback: "[]", take: texts(&c.Descope.Issuers, isOneWord)},
		{name: "descope.session_tokens", fallback: "false", take: boolean(&c.Descope.SessionTokens)},

		{name: "session.secret", take: secret(&c.Session.Secret)},
		{name: "session.secret_file", take: filePath(&c.Session.SecretFile)},
		{name: "session.previous_secrets", fallback: "[]", take: secrets(&c.Session.PreviousSecrets)},
		{name: "session.cookie_name", take: text(&c.Session.CookieName, isToken)},
		{name: "session.cookie_domain", take: cookieDomain(&c.Session.CookieDomain)},
		{name: "session.max_age", fallback: "24h", take: duration(&c.Session.MaxAge)},
		{name: "session.idle_timeout", fallback: "0s", take: duration(&c.Session.IdleTimeout)},
		{name: "session.refresh", fallback: "true", take: boolean(&c.Session.Refresh)},
		{name: "session.store", fallback: "cookie", take: oneOf(&c.Session.Store, "cookie", "redis")},
		{name: "session.redis_url", fallback: "redis://127.0.0.1:6379/0", take: secret(&c.Session.RedisURL)},
		{name: "session.redis_url_file", take: filePath(&c.Session.RedisURLFile)},
		{name: "session.state_file", take: filePath(&c.Session.StateFile)},

		{name: "assertion.key_file", fallback: "[]", take: filePaths(&c.Assertion.KeyFile)},

		{name: "tenants", fallback: "{}", take: aliases(&c.Tenants), fileOnly: true},

		{name: "pages.title", take: text(&c.Pages.Title)},
		{name: "pages.logo_file", take: filePath(&c.Pages.LogoFile)},
		{name: "pages.support", take: text(&c.Pages.Support, isContact)},

		{name: "routes", fallback: "[]", take: routes(&c.Routes), fileOnly: true},

		{name: "log.level", fallback: "info", take: oneOf(&c.Log.Level, "debug", "info", "warn", "error")},
		{name: "log.format", fallback: "json", take: oneOf(&c.Log.Format, "json", "text")},

		{name: "tests", fallback: "[]", take: policyTests(&c.Tests), fileOnly: true},
	}
}

// routeFields is every key of a route. strip is nil where strip_path is not written.
func routeFields(r *Route, strip **bool) []field {
	return []field{
		{name: "name", take: text(&r.Name)},
		{name: "title", take: text(&r.Title)},
		{name: "description", take: prose(&r.Description)},
		{name: "host", take: routeHost(&r.Host)},
		{name: "path", fallback: "/", take: routePath(&r.Path)},
		{name: "upstream", take: upstreams(&r.Upstreams)},
		{name: "ca_file", take: filePath(&r.CAFile)},
		{name: "preset", fallback: "gradio", take: oneOf(&r.Preset, presets()...)},
		{name: "strip_path", take: optionalBoolean(strip)},
		{name: "allow", take: allow(&r.Allow)},
		{name: "bearer", fallback: "false", take: boolean(&r.Bearer)},
		{name: "origins", fallback: "[]", take: origins(&r.Origins)},
		{name: "account_menu", fallback: "false", take: boolean(&r.AccountMenu)},
		{name: "unverified_email", fallback: "false", take: boolean(&r.UnverifiedEmail)},
		{name: "max_body", fallback: "0", take: bytesCount(&r.MaxBody)},
		{name: "timeout", fallback: "0s", take: duration(&r.Timeout)},
		{name: "headers", fallback: "{}", take: headers(&r.Headers)},
	}
}

// ruleFields is every key of a rule. None has a default: what is not written is
// not asked.
func ruleFields(r *Rule) []field {
	return []field{
		{name: "tenant", take: ruleTenants(r)},
		{name: "roles", take: texts(&r.Roles)},
		{name: "permissions", take: texts(&r.Permissions)},
		{name: "emails", take: texts(&r.Emails, isEmail)},
		{name: "email_domains", take: texts(&r.EmailDomains, isEmailDomain)},
		{name: "subjects", take: texts(&r.Subjects)},
		{name: "amr", take: texts(&r.AMR)},
		{name: "claims", take: ruleClaims(&r.Claims)},
	}
}

// testFields is every key of a policy test.
func testFields(t *Test) []field {
	return []field{
		{name: "as", take: testIdentity(t)},
		{name: "method", fallback: "GET", take: text(&t.Method, isMethod)},
		{name: "url", take: text(&t.URL, isTestURL)},
		{name: "want", take: oneOf(&t.Want, "allow", "deny", "sign_in", "not_found")},
	}
}

// presets are the kinds of UI that Gatehouse knows.
func presets() []string {
	return []string{"gradio", "streamlit", "jupyter", "comfyui", "openwebui", "plain"}
}

// stripsPath is strip_path's default. Streamlit, Jupyter and Open WebUI make links
// of the path they are configured with, and so must see it.
func stripsPath(preset string) bool {
	return preset == "gradio" || preset == "comfyui" || preset == "plain"
}
