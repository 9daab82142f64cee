package proxy

import (
	"net/http"
	"strings"

	"gatehouse/proxy/route"
)

// metadataPath is where the metadata of a protected resource begins; the path of
// the resource follows (RFC 9728, section 3.1).
const metadataPath = "/.well-known/oauth-protected-resource"

var metadataMethods = []string{http.MethodGet, http.MethodHead, http.MethodOptions}

// resourceMetadata is what a client needs to know to get a token for a resource
// (RFC 9728, section 2).
type resourceMetadata struct {
	Resource             string   `json:"resource"`
	AuthorizationServers []string `json:"authorization_servers"`
	BearerMethods        []string `json:"bearer_methods_supported"`
	ResourceName         string   `json:"resource_name"`
}

// protectedResource returns the bearer route that the request asks the metadata
// of, and the resource's path. For any other path, and for what lies in no
// bearer route, it is nil: then the address is an ordinary one.
func (p *Policy) protectedResource(host, asked string) (rt *Route, path string) {
	path, ok := strings.CutPrefix(asked, metadataPath)
	if !ok || path != "" && path[0] != '/' {
		return nil, ""
	}
	asked = path
	if asked == "" {
		asked = "/"
	}
	found, err := p.Table.Lookup(host, asked)
	if err != nil || found.Kind != route.Matched {
		return nil, ""
	}
	if rt = p.Routes[found.Index]; !rt.Bearer {
		return nil, ""
	}
	return rt, path
}

// serveMetadata answers whoever asks, from wherever: it says nothing that a 401
// does not say.
func (x *exchange) serveMetadata(rt *Route, path string) error {
	h := x.Header()
	h["Access-Control-Allow-Origin"] = []string{"*"}
	if x.r.Method == http.MethodOptions {
		h["Access-Control-Allow-Methods"] = []string{"GET, HEAD"}
		if wanted := x.r.Header["Access-Control-Request-Headers"]; len(wanted) > 0 {
			h["Access-Control-Allow-Headers"] = wanted
		}
		h["Cache-Control"] = []string{"no-store"}
		x.WriteHeader(http.StatusNoContent)
		return errAnswered
	}
	if err := x.allow(metadataMethods); err != nil {
		return err
	}
	x.serveJSON(http.StatusOK, resourceMetadata{
		Resource:             x.p.Origin(x.host) + path,
		AuthorizationServers: []string{x.p.AuthorizationServer},
		BearerMethods:        []string{"header"},
		ResourceName:         rt.Name,
	})
	return errAnswered
}
