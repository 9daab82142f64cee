package proxy

import (
	"cmp"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"slices"
	"sync/atomic"
)

// Replicas are spread over by a rendezvous hash: each key ranks all replicas,
// and goes to the first of its ranking that is up. So a person stays on one
// replica without a cookie, wherever the request comes in; when a replica dies,
// only its own people move, spread over the rest, and when it is back only they
// return.

// affinityKey is what keeps a person on one replica. A UI keeps its queue and
// its state in one process's memory, so that all requests of a page must meet
// the same one.
func (x *exchange) affinityKey() string {
	switch {
	case x.session != nil:
		return x.session.ID
	case x.identity != nil: // a bearer's
		return x.identity.Subject
	}
	return clientKey(x.client)
}

// clientKey is an address, or the network of an IPv6 one: hosts change the rest
// of it by themselves (RFC 8981), with a page open.
func clientKey(a netip.Addr) string {
	if a.Is6() {
		if network, err := a.Prefix(64); err == nil {
			return network.String()
		}
	}
	return a.String()
}

// transport carries one exchange's request to the replica that is its own.
func (u *Upstream) transport(x *exchange) http.RoundTripper {
	if len(u.replicas) == 1 {
		return u.replicas[0] // however often it failed
	}
	return &balanced{u, x.affinityKey()}
}

// RoundTrip sends the request to the replica.
func (r *Replica) RoundTrip(req *http.Request) (*http.Response, error) {
	res, err := r.transport.RoundTrip(req)
	if err == nil {
		r.health.up()
		return res, nil
	}
	var failed *connectError
	if errors.As(err, &failed) && req.Context().Err() == nil {
		r.health.down(err)
	}
	return nil, err
}

// balanced sends requests to the replicas in the order of a key.
type balanced struct {
	upstream *Upstream
	key      string
}

// RoundTrip tries the next replica only where no connection to the last one
// came about: of anything else nobody knows whether it was carried out already.
func (b *balanced) RoundTrip(req *http.Request) (*http.Response, error) {
	var err error
	for _, r := range b.upstream.rank(b.key) {
		var hands handshake
		var res *http.Response
		if res, err = r.RoundTrip(r.addressed(req, &hands)); err == nil {
			return res, nil
		}
		var failed *connectError
		if req.Context().Err() != nil || !errors.As(err, &failed) && !hands.refused() {
			return nil, err
		}
		r.health.down(err)
	}
	return nil, &connectError{err}
}

// rank is the order in which a key's requests try the replicas: those that are
// up before those that are not, which are tried at all because an app that has
// just come back should not have to wait for its next check.
func (u *Upstream) rank(key string) []*Replica {
	type place struct {
		replica *Replica
		down    bool
		score   uint64
	}
	places := make([]place, len(u.replicas))
	h := hash(key)
	for i, r := range u.replicas {
		places[i] = place{r, r.health.isDown(), mix(h ^ r.seed)}
	}
	slices.SortFunc(places, func(a, b place) int {
		switch {
		case a.down != b.down && b.down:
			return -1
		case a.down != b.down:
			return 1
		}
		return cmp.Compare(b.score, a.score)
	})
	ranked := make([]*Replica, len(places))
	for i, p := range places {
		ranked[i] = p.replica
	}
	return ranked
}

// handshake is how TLS went for a request. Its errors have no type of their own.
type handshake struct{ failed, connected atomic.Bool }

// refused reports whether it failed, so that the request was never sent.
func (t *handshake) refused() bool { return t.failed.Load() && !t.connected.Load() }

// addressed is the request for this replica.
func (r *Replica) addressed(req *http.Request, t *handshake) *http.Request {
	out := req
	if r.tls != nil {
		out = out.WithContext(httptrace.WithClientTrace(out.Context(), &httptrace.ClientTrace{
			GotConn:          func(httptrace.GotConnInfo) { t.connected.Store(true) },
			TLSHandshakeDone: func(_ tls.ConnectionState, err error) { t.failed.Store(err != nil) },
		}))
	} else {
		out = out.WithContext(out.Context()) // a copy
	}
	to := *req.URL
	to.Scheme, to.Host = r.url.Scheme, r.url.Host
	out.URL = &to
	if req.Body != nil && req.Body != http.NoBody {
		// A transport closes the body of a request that it could not send. The
		// next replica still needs it; ReverseProxy closes it in the end.
		out.Body = &keptOpen{body: req.Body}
	}
	return out
}

// keptOpen does not close the body, and does not touch it again after its end:
// net/http's transport reads once more to see that nothing follows, and net/http's
// server closes the body as soon as the answer begins. Where the answer was the
// faster one, that read failed and the transport cut the answer off.
type keptOpen struct {
	body io.Reader
	over bool
}

func (k *keptOpen) Read(p []byte) (int, error) {
	if k.over {
		return 0, io.EOF
	}
	n, err := k.body.Read(p)
	k.over = err == io.EOF
	return n, err
}

func (*keptOpen) Close() error { return nil }

// hash is FNV-1a, 64 bits: the same in every instance and every version, since
// all of them must send a person to the same replica. Nobody chooses a session
// ID, so it need not withstand chosen keys.
func hash(s string) uint64 {
	h := uint64(14695981039346656037)
	for i := 0; i < len(s); i++ {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return h
}

// mix spreads the difference of one bit over all (the finalizer of SplitMix64).
func mix(h uint64) uint64 {
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>27) * 0x94d049bb133111eb
	return h ^ h>>31
}
