package proxy

import (
	"net/http"

	"gatehouse/proxy/route"
)

// Redirect is the handler of the plain listener beside an https one: whatever is
// asked leads to the same place on https, on a host that is known, else on
// public_url's. Only the health check is answered there too.
func (h *Handler) Redirect() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x := h.open(w, r)
		defer h.close(x)
		if err := x.leadToHTTPS(); err != nil && err != errAnswered {
			x.refuse(err)
		}
	})
}

func (x *exchange) leadToHTTPS() error {
	for _, step := range [...]func(*exchange) error{(*exchange).resolveClient, (*exchange).canonicalize} {
		if err := step(x); err != nil {
			return err
		}
	}
	if x.path == x.p.AuthPath+"/health" {
		return x.health()
	}
	found, err := x.p.Table.Lookup(x.host, x.path)
	if err == nil && found.Kind == route.UnknownHost {
		x.host = x.p.Host
	}
	return x.toHTTPS()
}
