package proxy

import (
	"context"
	"sync"
)

// A Probe is what came of connecting to one address of an app.
type Probe struct {
	Address string
	Err     error // nil: it took the connection
}

// Probe connects to every address of the app as its health checks do, at the
// same time, and changes nothing of what is known of their health.
func (u *Upstream) Probe(ctx context.Context) []Probe {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	probes := make([]Probe, len(u.replicas))
	var all sync.WaitGroup
	for i, r := range u.replicas {
		all.Go(func() { probes[i] = Probe{r.address, r.connect(ctx)} })
	}
	all.Wait()
	return probes
}
