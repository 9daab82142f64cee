package session

import (
	"fmt"
	"net/http"
	"runtime"
	"testing"
	"time"
)

// BenchmarkSessionsHeld is the memory of a session that was seen, with as many as
// a table holds: B/session, cookies of a person with a refresh token and a tenant.
func BenchmarkSessionsHeld(b *testing.B) {
	const people = 100_000
	sealer := sealerFor(b, SessionPurpose)
	store := NewCookieStore(func() *Sealer { return sealer })
	for b.Loop() {
		table := NewTable(Options{Cookie: Cookie{Name: "gatehouse"}, Store: store, Settings: Settings{MaxAge: time.Hour}})
		before := held()
		for i := range people {
			rec := fullRecord()
			rec.ID, rec.SignedInAt = fmt.Sprintf("%032d", i), time.Now()
			value, err := store.Save(b.Context(), rec, time.Time{})
			if err != nil {
				b.Fatal(err)
			}
			if found, err := table.Find(b.Context(), http.Header{"Cookie": {"gatehouse=" + value}}); err != nil || found.Session == nil {
				b.Fatalf("%+v, %v", found, err)
			}
		}
		b.ReportMetric(float64(held()-before)/people, "B/session")
		runtime.KeepAlive(table)
	}
}

// held is the heap in use, in bytes.
func held() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
