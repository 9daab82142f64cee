package main

import (
	_ "embed"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"strings"
	"time"
)

//go:embed dashboard.html
var dashboardPage string

// A sampleDashboard is an app that knows nothing of sign-in: it reads who is
// there from the headers that the proxy sets, as any app behind Gatehouse can.
type sampleDashboard struct {
	Title, Sentence, Color string
	Facts                  []sampleFact
}

type sampleFact struct{ Label, Value string }

func sampleDashboards() []sampleDashboard {
	return []sampleDashboard{
		{"Admin dashboard", "For the administrators of Acme.", "#7a3ff2",
			[]sampleFact{{"Members", "4"}, {"Runs this week", "107"}, {"Jobs waiting", "2"}}},
		{"User dashboard", "For everybody who is signed in.", "#0b7a5b",
			[]sampleFact{{"Your runs", "17"}, {"Your files", "6"}, {"Quota left", "83 %"}}},
	}
}

type dashboardView struct {
	sampleDashboard
	Name, Email, Tenant string
	Roles               []string
}

func (d sampleDashboard) handler() http.Handler {
	page := template.Must(template.New("dashboard").Parse(dashboardPage))
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		view := dashboardView{
			sampleDashboard: d,
			Name:            told(r, "X-Forwarded-Preferred-Username"),
			Email:           told(r, "X-Forwarded-Email"),
			Tenant:          told(r, "X-Forwarded-Tenant"),
		}
		for role := range strings.SplitSeq(r.Header.Get("X-Forwarded-Groups"), ",") {
			if name, err := url.PathUnescape(role); err == nil && name != "" {
				view.Roles = append(view.Roles, name)
			}
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_ = page.Execute(w, view) // the client has gone: nothing is left to do
	})
	mux.HandleFunc("GET /clock", clock)
	return mux
}

// told is what the proxy says in a header, decoded.
func told(r *http.Request, name string) string {
	value, err := url.PathUnescape(r.Header.Get(name))
	if err != nil {
		return ""
	}
	return value
}

// clock is an event stream: it ends when the session does.
func clock(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	control := http.NewResponseController(w)
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		if _, err := fmt.Fprintf(w, "data: %s\n\n", time.Now().Format(time.TimeOnly)); err != nil {
			return
		}
		if control.Flush() != nil {
			return
		}
		select {
		case <-r.Context().Done():
			return
		case <-tick.C:
		}
	}
}
