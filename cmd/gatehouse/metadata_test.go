package main

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const wellKnown = "/.well-known/oauth-protected-resource"

func TestTheMetadataOfAProtectedResource(t *testing.T) {
	h := newHouse(t, build{routes: bearerRoutes})
	for _, tc := range []struct{ name, path, route string }{
		{"a route's own address", "/gradio/user", "gradio/user"},
		{"an address in it", "/gradio/user/gradio_api/mcp/", "gradio/user"},
		{"an address that only a longer route has", "/gradio/user/nested/x", "gradio/user/nested"},
		{"an address with encoded characters", "/gradio/admin/a%20b", "gradio/admin"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			res := h.browser().do("GET", wellKnown+tc.path, "")
			if res.StatusCode != 200 || res.Header.Get("Content-Type") != "application/json" {
				t.Fatalf("got %s %s", res.Status, res.Text)
			}
			if res.Header.Get("Access-Control-Allow-Origin") != "*" || res.Header.Get("Access-Control-Allow-Credentials") != "" {
				t.Errorf("CORS: %q", res.Header)
			}
			var got map[string]any
			if err := json.Unmarshal([]byte(res.Text), &got); err != nil {
				t.Fatal(err)
			}
			want := map[string]any{
				"resource": h.URL + tc.path, "authorization_servers": []any{h.Issuer},
				"bearer_methods_supported": []any{"header"}, "resource_name": tc.route,
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
	t.Run("a path that is spelled otherwise is answered in its canonical form", func(t *testing.T) {
		answer := h.raw("GET " + wellKnown + "/gradio/%75ser/x HTTP/1.1\r\nHost: LOCALHOST:1\r\nConnection: close\r\n\r\n")
		if !strings.Contains(answer, `"resource":"`+h.URL+`/gradio/user/x"`) {
			t.Errorf("got %s", answer)
		}
	})
	t.Run("HEAD", func(t *testing.T) {
		if res := h.browser().do("HEAD", wellKnown+"/gradio/user", ""); res.StatusCode != 200 || res.Text != "" {
			t.Errorf("got %s %q", res.Status, res.Text)
		}
	})
	t.Run("a preflight from anywhere", func(t *testing.T) {
		res := h.browser().do("OPTIONS", wellKnown+"/gradio/user", "", "Origin", "https://inspector.example",
			"Access-Control-Request-Method", "GET", "Access-Control-Request-Headers", "mcp-protocol-version")
		if res.StatusCode != 204 || res.Header.Get("Access-Control-Allow-Origin") != "*" || res.Header.Get("Access-Control-Allow-Headers") != "mcp-protocol-version" {
			t.Errorf("got %s %q", res.Status, res.Header)
		}
	})
	t.Run("other methods", func(t *testing.T) {
		for _, method := range []string{"POST", "PUT", "DELETE"} {
			if res := h.browser().do(method, wellKnown+"/gradio/user", "{}"); res.StatusCode != 405 || res.Header.Get("Allow") != "GET, HEAD, OPTIONS" {
				t.Errorf("%s: %s %q", method, res.Status, res.Header.Get("Allow"))
			}
		}
	})
	before := len(h.User.requests()) + len(h.Admin.requests())
	for name, path := range map[string]string{
		"a route without bearer": "/cookies", "a public route": "/open", "no route": "/nowhere", "a landing": "/gradio", "nothing behind it": "",
		"the root": "/", "a path that only begins alike": "-s/gradio/user", "an address with two readings": "//gradio/user", "Gatehouse's own": "/auth/",
	} {
		t.Run("none for "+name, func(t *testing.T) {
			if res := h.browser().do("GET", wellKnown+path, ""); res.StatusCode == 200 || strings.Contains(res.Text, "authorization_servers") {
				t.Errorf("got %s %s", res.Status, res.Text)
			}
		})
	}
	if len(h.User.requests())+len(h.Admin.requests()) != before {
		t.Error("an app was asked")
	}
}

func TestMetadataOfAnAppAtTheRoot(t *testing.T) {
	h := newHouse(t, build{routes: `
  - path: /
    upstream: %[1]s
    bearer: true
    preset: plain
    allow: authenticated
  - path: /other
    upstream: %[2]s
    preset: plain
    allow: public
`, descope: "  issuers: [https://auth.example.com/v1/apps/agentic/P2x/M2y, https://second.example]\n"})
	t.Run("its address is the origin, as MCP clients ask", func(t *testing.T) {
		for path, resource := range map[string]string{"": h.URL, "/": h.URL + "/", "/mcp": h.URL + "/mcp"} {
			res := h.browser().do("GET", wellKnown+path, "")
			var got struct {
				Resource string   `json:"resource"`
				Servers  []string `json:"authorization_servers"`
			}
			if err := json.Unmarshal([]byte(res.Text), &got); err != nil || got.Resource != resource {
				t.Errorf("%q: got %s", path, res.Text)
			}
			if diff := cmp.Diff([]string{"https://auth.example.com/v1/apps/agentic/P2x/M2y"}, got.Servers); diff != "" {
				t.Error(diff)
			}
		}
	})
	t.Run("what lies in no bearer route goes where its own path leads", func(t *testing.T) {
		res := h.browser().do("GET", wellKnown+"/other/x", "")
		if res.StatusCode != 401 || res.Header.Get("WWW-Authenticate") != h.challengeOf(wellKnown+"/other/x", false) {
			t.Errorf("got %s %q", res.Status, res.Header)
		}
	})
}

func TestMetadataOnOtherHosts(t *testing.T) {
	h := newHouse(t, build{public: "http://apps.test:PORT", routes: `
  - path: /app
    host: api.test
    upstream: %[1]s
    bearer: true
    allow: authenticated
  - path: /app
    upstream: %[2]s
    allow: public
  - path: /mcp
    host: "{tenant}.tenants.test"
    upstream: %[1]s
    bearer: true
    allow:
      - tenant: "{tenant}"
`, extra: "tenants: {acme: T2acme, globex: T2globex}"})
	_, port, _ := strings.Cut(h.Addr, ":")
	api := "http://api.test:" + port
	res := h.browser().do("POST", api+"/app/x", "")
	want := `Bearer resource_metadata="` + api + wellKnown + `/app/x"`
	if res.StatusCode != 401 || res.Header.Get("WWW-Authenticate") != want {
		t.Fatalf("got %s %q, want %q", res.Status, res.Header.Get("WWW-Authenticate"), want)
	}
	if res := h.browser().do("GET", api+wellKnown+"/app/x", ""); res.StatusCode != 200 || !strings.Contains(res.Text, `"resource":"`+api+`/app/x"`) {
		t.Errorf("got %s %s", res.Status, res.Text)
	}
	if res := h.browser().do("GET", h.URL+wellKnown+"/app/x", ""); res.StatusCode != 404 {
		t.Errorf("on a host where the path is another route's: %s", res.Status)
	}
	if res := h.browser().do("GET", "http://nobody.test:"+port+wellKnown+"/app/x", ""); res.StatusCode != http.StatusMisdirectedRequest {
		t.Errorf("on a host that is nobody's: %s", res.Status)
	}
	t.Run("a token for the address that it names is taken there", func(t *testing.T) {
		token := h.accessToken("ada", map[string]any{"aud": api + "/app/x"})
		if res := h.browser().do("GET", api+"/app/x", "", "Authorization", token); res.StatusCode != 200 {
			t.Errorf("got %s %s", res.Status, res.Text)
		}
	})
	t.Run("and one for another tenant's address is not", func(t *testing.T) {
		acme, globex := "http://acme.tenants.test:"+port+"/mcp", "http://globex.tenants.test:"+port+"/mcp"
		for _, tc := range []struct {
			aud, at string
			status  int
		}{{acme, acme, 200}, {globex, acme, 401}, {acme, globex, 401}, {globex, globex, 403}} {
			res := h.browser().do("POST", tc.at, "{}", "Authorization", h.accessToken("ada", map[string]any{"aud": tc.aud}))
			if res.StatusCode != tc.status {
				t.Errorf("for %s at %s: %s", tc.aud, tc.at, res.Status)
			}
		}
	})
}

// The way of an MCP client that is given nothing but a URL: 401, metadata,
// authorization server, registration, sign-in, token for the resource.
func TestAnMCPClientFindsItsWayFromTheURLAlone(t *testing.T) {
	h := newHouse(t, build{routes: bearerRoutes})
	agent := h.browser()
	mcp := h.URL + "/gradio/user/gradio_api/mcp/"
	res := agent.do("POST", mcp, `{"jsonrpc":"2.0"}`, "Accept", "application/json, text/event-stream")
	_, rest, _ := strings.Cut(res.Header.Get("WWW-Authenticate"), `resource_metadata="`)
	address, _, ok := strings.Cut(rest, `"`)
	if res.StatusCode != 401 || !ok {
		t.Fatalf("got %s %q", res.Status, res.Header)
	}
	var resource struct {
		Resource string   `json:"resource"`
		Servers  []string `json:"authorization_servers"`
	}
	if err := json.Unmarshal([]byte(agent.do("GET", address, "").Text), &resource); err != nil || resource.Resource != mcp {
		t.Fatalf("metadata: %+v, %v", resource, err)
	}
	issuer, err := url.Parse(resource.Servers[0])
	if err != nil {
		t.Fatal(err)
	}
	var server struct {
		Issuer string `json:"issuer"`
	}
	origin := issuer.Scheme + "://" + issuer.Host
	text := agent.do("GET", origin+"/.well-known/oauth-authorization-server"+issuer.Path, "").Text
	if err := json.Unmarshal([]byte(text), &server); err != nil || server.Issuer != resource.Servers[0] {
		t.Fatalf("authorization server: %s, %v", text, err)
	}
	token := h.accessToken("ada", map[string]any{"aud": []string{"C2registered", resource.Resource}})
	if res := agent.do("POST", mcp, `{"jsonrpc":"2.0"}`, "Authorization", token); res.StatusCode != 200 {
		t.Errorf("got %s %s", res.Status, res.Text)
	}
	if got := h.User.last(t); got.Header.Get("X-Forwarded-User") != "U2ada" || got.Target != "/gradio_api/mcp/" {
		t.Errorf("the app got %+v", got)
	}
}
