package proxy

import (
	"net/url"
	"testing"
)

func TestAnAppsOwnAddressHasItsSchemesPortOrNot(t *testing.T) {
	u := &Upstream{}
	for _, address := range []string{"http://127.0.0.1", "https://app.example:443", "http://[::1]:7861"} {
		parsed, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		u.replicas = append(u.replicas, &Replica{url: parsed})
	}
	for _, c := range []struct {
		scheme, authority string
		want              bool
	}{
		{"http", "127.0.0.1:80", true}, {"http", "127.0.0.1", true}, {"", "127.0.0.1:80", true},
		{"https", "App.Example", true}, {"https", "app.example:443", true}, {"http", "[::1]:7861", true},
		{"http", "127.0.0.1:443", false}, {"http", "127.0.0.1:8080", false}, {"http", "[::1]", false}, {"http", "", false}, {"http", "u@127.0.0.1", false},
	} {
		if got := u.owns(c.scheme, c.authority); got != c.want {
			t.Errorf("%s://%s: %v", c.scheme, c.authority, got)
		}
	}
}
