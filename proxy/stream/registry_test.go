package stream

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"runtime/pprof"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestMain fails when a goroutine of this package outlives the tests. They wait
// more than they work, so many run at once.
func TestMain(m *testing.M) {
	flag.Parse()
	flag.Set("test.parallel", "16")
	code := m.Run()
	for wait := time.Millisecond; code == 0; wait *= 2 {
		var stacks strings.Builder
		pprof.Lookup("goroutine").WriteTo(&stacks, 1)
		if !strings.Contains(stacks.String(), "stream.(*") {
			break
		}
		if wait > 4*time.Second {
			fmt.Fprintln(os.Stderr, "goroutines are left:\n"+stacks.String())
			code = 1
		}
		time.Sleep(wait)
	}
	os.Exit(code)
}

// begin registers a request that has no server behind it.
func begin(r *Registry, about About) *Stream {
	return r.Begin(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil), about)
}

// open registers an event stream.
func open(r *Registry, about About) *Stream {
	s := begin(r, about)
	s.Respond(&http.Response{
		StatusCode: 200,
		Header:     http.Header{"Content-Type": {"text/event-stream"}},
		Body:       http.NoBody,
	})
	return s
}

func causes(streams []*Stream) (all []Cause) {
	for _, s := range streams {
		all = append(all, s.Cause())
	}
	return all
}

func TestARequestBecomesAStreamAfterTwoSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opened := 0
		r := NewRegistry(Config{Opened: func(*Stream) { opened++ }})
		s := begin(r, About{Key: "ada"})
		time.Sleep(After - time.Millisecond)
		if s.Kind() != Request || r.Open() != 0 || r.Has("ada") {
			t.Error("it is a stream too early")
		}
		time.Sleep(pause)
		synctest.Wait()
		if s.Kind() != Long || r.Open() != 1 || !r.Has("ada") || opened != 1 {
			t.Error("it is no stream after the mark")
		}
		s.End()
		if r.Open() != 0 || r.Has("ada") {
			t.Error("it is left in the registry")
		}
	})
}

func TestRequestsThatBeginAtAnyTimeAreSwept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := NewRegistry(Config{})
		for i := range 200 {
			s := begin(r, About{Key: fmt.Sprint(i % 3)})
			if i%5 == 0 { // most are short
				time.AfterFunc(After+pause, func() {
					if s.Kind() != Long {
						t.Errorf("request %d is no stream %v after it began", i, time.Since(s.Began()))
					}
					s.End()
				})
			} else {
				s.End()
			}
			time.Sleep(time.Duration(i*i%700) * time.Millisecond)
		}
		time.Sleep(10 * time.Second)
		if r.armed.Load() {
			t.Error("the sweep goes on without a request")
		}
	})
}

func TestAYoungRequestOfAnEndedSessionIsCutWhenItTurnsIntoAStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := NewRegistry(Config{})
		young := begin(r, About{Key: "ada"})
		quick := begin(r, About{Key: "ada"})
		if n := r.CloseSession("ada", SignOut); n != 0 {
			t.Errorf("closed %d streams, want 0", n)
		}
		time.Sleep(time.Second)
		quick.End()
		if young.Cause() != "" {
			t.Error("it was cut before the mark")
		}
		time.Sleep(After)
		synctest.Wait()
		if young.Cause() != SignOut || young.Request().Context().Err() == nil {
			t.Error("it was not cut at the mark")
		}
		if quick.Cause() == SignOut {
			t.Error("the quick one was cut")
		}
		young.End()

		again := begin(r, About{Key: "ada"})
		defer again.End()
		r.CloseSession("ada", Revoked)
		err := again.Respond(&http.Response{StatusCode: 101, Header: http.Header{"Upgrade": {"websocket"}}, Body: http.NoBody})
		var cut *CutError
		if !errors.As(err, &cut) || cut.Cause != Revoked {
			t.Errorf("an upgrade after the end of its session: %v", err)
		}
	})
}

func TestAnEventTouchesOnlyWhatItIsAbout(t *testing.T) {
	r := NewRegistry(Config{})
	var all []*Stream
	for _, about := range []About{
		{Key: "ada", Route: "admin", Data: 1},
		{Key: "ada", Route: "user", Data: 2},
		{Key: "bob", Route: "admin", Data: 3},
		{Key: "", Route: "public", Data: 4},
	} {
		s := open(r, about)
		defer s.End()
		all = append(all, s)
	}
	want := []Count{{"admin", SSE, 2}, {"public", SSE, 1}, {"user", SSE, 1}}
	counts := r.Counts()
	slices.SortFunc(counts, func(a, b Count) int { return strings.Compare(a.Route, b.Route) })
	if diff := cmp.Diff(want, counts); diff != "" {
		t.Error(diff)
	}

	asked := 0
	r.CloseSessionIf("ada", func(s *Stream) Cause {
		asked++
		if s.Route() == "admin" {
			return RoleLost
		}
		return ""
	})
	if diff := cmp.Diff([]Cause{RoleLost, "", "", ""}, causes(all)); diff != "" || asked != 2 {
		t.Errorf("after the loss of a role, %d asked: %s", asked, diff)
	}
	if n := r.CloseSession("", SignOut) + r.CloseSession("eve", SignOut); n != 0 {
		t.Errorf("sessions without streams closed %d", n)
	}
	r.CloseIf(func(s *Stream) Cause {
		if s.Data().(int) == 4 {
			return PolicyChanged
		}
		return ""
	})
	if diff := cmp.Diff([]Cause{RoleLost, "", "", PolicyChanged}, causes(all)); diff != "" {
		t.Errorf("after a change of the policy: %s", diff)
	}
	r.CloseAll(Shutdown)
	if diff := cmp.Diff([]Cause{RoleLost, Shutdown, Shutdown, PolicyChanged}, causes(all)); diff != "" {
		t.Errorf("after the shutdown: %s", diff)
	}
}

// What happens to one session costs the same however many streams are open.
func TestAnEventCostsNoScanOfTenThousandStreams(t *testing.T) {
	cost := func(others int) time.Duration {
		asked := 0
		r := NewRegistry(Config{})
		w, req := httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil)
		sse := func(key string) *Stream {
			s := r.Begin(w, req, About{Key: key})
			s.Respond(&http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {"text/event-stream"}}, Body: http.NoBody})
			return s
		}
		for i := range others {
			defer sse(fmt.Sprint("session", i/2)).End()
		}
		for range 3 {
			defer sse("ada").End()
		}
		var took []time.Duration
		for range 101 {
			began := time.Now()
			r.CloseSessionIf("ada", func(*Stream) Cause { asked++; return "" })
			r.Has("ada")
			took = append(took, time.Since(began))
		}
		if asked != 3*101 {
			t.Errorf("among %d others %d streams were asked about, want 3 each time", others, asked)
		}
		slices.Sort(took)
		return took[len(took)/2]
	}
	few, many := cost(0), cost(10_000)
	t.Logf("%v alone, %v among 10,000 others", few, many)
	if many > 20*few {
		t.Errorf("%v alone, %v among 10,000 others", few, many)
	}
}

func TestAMovedStreamBelongsToItsNewSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := NewRegistry(Config{})
		stream, request := open(r, About{Key: "old", Data: "old"}), begin(r, About{Key: "old", Data: "old"})
		defer stream.End()
		defer request.End()
		if n := r.Move("old", "new", func(any) any { return "new" }); n != 2 {
			t.Errorf("moved %d, want 2", n)
		}
		r.CloseSession("old", Revoked)
		time.Sleep(After + pause)
		synctest.Wait()
		if stream.Cause() != "" || request.Cause() != "" || r.Has("old") || !r.Has("new") {
			t.Error("they still belong to the old session")
		}
		if stream.Data() != "new" || request.Data() != "new" || stream.Key() != "new" {
			t.Error("their data is the old session's")
		}
		if n := r.CloseSession("new", SignOut); n != 2 {
			t.Errorf("closed %d, want 2", n)
		}
	})
}

func TestTheFirstCauseCounts(t *testing.T) {
	var closed []Cause
	r := NewRegistry(Config{Closed: func(_ *Stream, cause Cause) { closed = append(closed, cause) }})
	s := open(r, About{Key: "ada"})
	s.Close("")
	s.Close(Expired)
	s.Close(SignOut)
	s.End()
	s.End()
	s.Close(Revoked)
	if diff := cmp.Diff([]Cause{Expired}, closed); diff != "" {
		t.Error(diff)
	}
}

func TestWaitReturnsWhenAllAreGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := NewRegistry(Config{})
		if err := r.Wait(t.Context()); err != nil {
			t.Error("an empty registry:", err)
		}
		s := begin(r, About{})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := r.Wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Error("a request in flight:", err)
		}
		time.AfterFunc(time.Minute, s.End)
		if err := r.Wait(t.Context()); err != nil {
			t.Error("after the last:", err)
		}
	})
}

// Everything at once, for the race detector and for the counts: nothing may be
// left, and nobody's stream may be closed by another's event.
func TestTheRegistryStaysExactUnderLoad(t *testing.T) {
	var mu sync.Mutex
	balance := 0
	r := NewRegistry(Config{
		Recheck: func(s *Stream) Cause { return "" },
		Opened:  func(*Stream) { mu.Lock(); balance++; mu.Unlock() },
		Closed:  func(*Stream, Cause) { mu.Lock(); balance--; mu.Unlock() },
	})
	safe := open(r, About{Key: "safe", Route: "safe"})
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 500 {
				key := fmt.Sprint(i % 7)
				switch s := open(r, About{Key: key, Route: key}); (g + i) % 4 {
				case 0:
					s.Close(SignOut)
					s.End()
				case 1:
					r.Move(key, fmt.Sprint((i+1)%7), nil)
					s.End()
				case 2:
					r.CloseSession(key, Revoked)
					s.End()
				default:
					r.CloseIf(func(s *Stream) Cause {
						if s.Key() == key {
							return PolicyChanged
						}
						return ""
					})
					s.End()
				}
			}
		})
	}
	wg.Wait()
	if safe.Cause() != "" || r.Open() != 1 || balance != 1 {
		t.Errorf("cause %q, %d open, balance %d; want none, 1, 1", safe.Cause(), r.Open(), balance)
	}
	safe.End()
	if len(r.Counts()) != 0 {
		t.Errorf("left: %v", r.Counts())
	}
	for i := range r.shards {
		if n := len(r.shards[i].sessions); n != 0 {
			t.Errorf("shard %d holds %d sessions", i, n)
		}
	}
}

func BenchmarkBeginEnd(b *testing.B) {
	r := NewRegistry(Config{})
	w, req := httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil)
	ctx, cancel := context.WithCancel(req.Context())
	defer cancel()
	req = req.WithContext(ctx)
	b.ReportAllocs()
	for b.Loop() {
		r.Begin(w, req, About{Key: "session", Route: "route"}).End()
	}
}

func BenchmarkBeginEndParallel(b *testing.B) {
	r := NewRegistry(Config{})
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		w, req := httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil)
		for pb.Next() {
			r.Begin(w, req, About{Key: "session", Route: "route"}).End()
		}
	})
}

// The time to close one session's three streams does not depend on how many
// others are open.
func BenchmarkCloseSession(b *testing.B) {
	for _, others := range []int{0, 20_000, 200_000} {
		b.Run(fmt.Sprint(others, " others"), func(b *testing.B) {
			r := NewRegistry(Config{})
			crowd := make([]*Stream, others)
			for i := range crowd {
				crowd[i] = open(r, About{Key: fmt.Sprint("session", i/2)})
			}
			var three [3]*Stream
			for b.Loop() {
				b.StopTimer()
				for i := range three {
					three[i] = open(r, About{Key: "ada"})
				}
				b.StartTimer()
				r.CloseSession("ada", SignOut)
				b.StopTimer()
				for _, s := range three {
					s.End()
				}
				b.StartTimer()
			}
			b.StopTimer()
			for _, s := range crowd {
				s.End()
			}
		})
	}
}

func BenchmarkCloseAll(b *testing.B) {
	for b.Loop() {
		b.StopTimer()
		r := NewRegistry(Config{})
		crowd := make([]*Stream, 20_000)
		for i := range crowd {
			crowd[i] = open(r, About{Key: fmt.Sprint("session", i/2)})
		}
		b.StartTimer()
		r.CloseAll(Shutdown)
		b.StopTimer()
		for _, s := range crowd {
			s.End()
		}
		b.StartTimer()
	}
}

// The registry's own memory for an open stream, without the server's.
func BenchmarkMemory(b *testing.B) {
	const n = 20_000
	r := NewRegistry(Config{})
	crowd := make([]*Stream, n)
	w, req := httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil)
	res := &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {"text/event-stream"}}}
	for b.Loop() {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		for i := range crowd {
			crowd[i] = r.Begin(w, req, About{Key: fmt.Sprint("session", i/2)})
			res.Body = http.NoBody
			crowd[i].Respond(res)
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/n, "B/stream")
		for _, s := range crowd {
			s.End()
		}
		clear(crowd)
	}
}
