package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"gatehouse/e2e/rig"
)

// A browser is somebody who signs in.
type browser struct {
	h       *house
	cookies map[string]string
}

func newBrowser(h *house) *browser { return &browser{h: h, cookies: make(map[string]string)} }

// cookie is the Cookie header.
func (b *browser) cookie() string {
	var all []string
	for name, value := range b.cookies {
		all = append(all, name+"="+value)
	}
	slices.Sort(all)
	return strings.Join(all, "; ")
}

// patience is how long anybody waits for an answer.
const patience = 20 * time.Second

// get asks for a page of Gatehouse, with the browser's cookies.
func (b *browser) get(path string) (*http.Response, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+b.h.address+path, nil)
	if err != nil {
		return nil, err
	}
	if len(b.cookies) > 0 {
		req.Header.Set("Cookie", b.cookie())
	}
	res, err := b.h.wire.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	_, _ = io.Copy(io.Discard, res.Body)
	_ = res.Body.Close()
	for _, c := range res.Cookies() {
		if c.MaxAge < 0 {
			delete(b.cookies, c.Name)
		} else {
			b.cookies[c.Name] = c.Value
		}
	}
	return res, nil
}

func (b *browser) signIn(person string) error {
	res, err := b.get("/auth/login?return_to=/app/")
	if err != nil {
		return err
	}
	if res.StatusCode != http.StatusFound {
		return fmt.Errorf("/auth/login: %s", res.Status)
	}
	back, err := b.h.provider.Authorize(context.Background(), &http.Client{Timeout: patience}, res.Header.Get("Location"), person)
	if err != nil {
		return err
	}
	u, err := url.Parse(back)
	if err != nil {
		return err
	}
	if res, err = b.get(u.RequestURI()); err != nil {
		return err
	}
	if b.cookies["gatehouse"] == "" {
		return fmt.Errorf("/auth/callback: %s to %q", res.Status, res.Header.Get("Location"))
	}
	return nil
}

// others is how another person fared meanwhile.
type others struct {
	answered     int
	p99, slowest time.Duration
	wrong        []string
}

// useTheApp goes on using the app until ctx ends, as the member with the cookie
// and with bearer tokens, old and new, on open connections and on fresh ones.
func (h *house) useTheApp(ctx context.Context) others {
	var mu sync.Mutex
	var took []time.Duration
	var o others
	token, err := h.provider.AccessToken("bob", nil)
	if err != nil {
		return others{wrong: []string{err.Error()}}
	}
	one := func(i int) {
		began := time.Now()
		err := h.askAs(i, token)
		mu.Lock()
		defer mu.Unlock()
		if took = append(took, time.Since(began)); err == nil {
			o.answered++
		} else if len(o.wrong) < 5 {
			o.wrong = append(o.wrong, fmt.Sprintf("another person's request %d: %v", i, err))
		}
	}
	var people sync.WaitGroup
	for first := range 2 {
		people.Go(func() {
			one(first)
			for i := first + 2; rig.Pause(ctx, 15*time.Millisecond); i += 2 {
				one(i)
			}
		})
	}
	people.Wait()
	slices.Sort(took)
	o.p99, o.slowest = took[len(took)*99/100], took[len(took)-1]
	return o
}

// bearerTurn is when, of 20 requests, one comes with a bearer token.
const bearerTurn = 5

// askAs sends the member's ith request.
func (h *house) askAs(i int, token string) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+h.address+"/app/x", nil)
	if err != nil {
		return err
	}
	switch i % 20 {
	case bearerTurn, bearerTurn + 10:
		req.Header.Set("Authorization", "Bearer "+token)
	case 10: // one that has not been verified before
		fresh, err := h.provider.AccessToken("bob", map[string]any{"jti": fmt.Sprint(i)})
		if err != nil {
			return err
		}
		req.Header.Set("Authorization", "Bearer "+fresh)
	default:
		req.Header.Set("Cookie", h.member.cookie())
	}
	req.Close = i%7 == 0
	res, err := h.wire.RoundTrip(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK || string(text) != "U2bob" {
		return fmt.Errorf("%s, the app was told of %.50q", res.Status, text)
	}
	return nil
}
