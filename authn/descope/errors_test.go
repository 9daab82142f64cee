package descope

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"
)

// refuse asks a token endpoint that answers so for a refresh, through oauth2.
func refuse(t *testing.T, status int, header map[string]string, body string) error {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		for name, value := range header {
			w.Header().Set(name, value)
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}))
	defer server.Close()
	config := oauth2.Config{ClientID: "P2", ClientSecret: "secret",
		Endpoint: oauth2.Endpoint{TokenURL: server.URL, AuthStyle: oauth2.AuthStyleInHeader}}
	_, err := config.TokenSource(t.Context(), &oauth2.Token{RefreshToken: "r"}).Token()
	if err == nil {
		t.Fatal("the token endpoint's refusal was taken for an answer")
	}
	return err
}

func TestWhatARefusalMeans(t *testing.T) {
	date := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for _, tc := range []struct {
		name   string
		status int
		header map[string]string
		body   string
		kind   Kind
		wait   time.Duration
		text   string
	}{
		{"the grant ended, in RFC 6749's form", 400, nil, `{"error":"invalid_grant","error_description":"refresh token revoked"}`,
			InvalidGrant, 0, "token endpoint: invalid grant: status 400: invalid_grant: refresh token revoked"},
		{"the grant ended, in Descope's form", 401, nil, `{"errorCode":"E064001","errorDescription":"Request is invalid","errorMessage":"Refresh token is invalid"}`,
			InvalidGrant, 0, "token endpoint: invalid grant: status 401: E064001: Refresh token is invalid Request is invalid"},
		{"the person was deleted", 400, nil, `{"errorCode":"E062108","errorDescription":"User not found"}`,
			InvalidGrant, 0, "token endpoint: invalid grant: status 400: E062108: User not found"},
		{"a wrong secret, in RFC 6749's form", 401, nil, `{"error":"invalid_client"}`,
			Rejected, 0, "token endpoint: rejected: status 401: invalid_client"},
		{"a wrong secret, in Descope's form", 401, nil, `{"errorCode":"E062901","errorDescription":"Access key is invalid"}`,
			Rejected, 0, "token endpoint: rejected: status 401: E062901: Access key is invalid"},
		{"too many requests, with seconds", 429, map[string]string{"Retry-After": "10"},
			`{"errorCode":"E130429","errorDescription":"https://docs.descope.com/rate-limit","errorMessage":"API rate limit exceeded."}`,
			RateLimited, 10 * time.Second, "token endpoint: rate limited: status 429: E130429: API rate limit exceeded. [left out]"},
		{"too many requests, with a date", 429, map[string]string{"Retry-After": date.Add(time.Minute).Format(http.TimeFormat), "Date": date.Format(http.TimeFormat)},
			``, RateLimited, time.Minute, "token endpoint: rate limited: status 429"},
		{"too many requests, with a date gone by", 429, map[string]string{"Retry-After": date.Format(http.TimeFormat), "Date": date.Add(time.Minute).Format(http.TimeFormat)},
			``, RateLimited, 0, "token endpoint: rate limited: status 429"},
		{"too many requests, and a wait beyond reason", 429, map[string]string{"Retry-After": "4000000000"},
			``, RateLimited, time.Hour, "token endpoint: rate limited: status 429"},
		{"too many requests, and no sense", 429, map[string]string{"Retry-After": "-5"},
			``, RateLimited, 0, "token endpoint: rate limited: status 429"},
		{"the rate limit's code under another status", 400, nil, `{"errorCode":"E130429"}`,
			RateLimited, 0, "token endpoint: rate limited: status 400: E130429"},
		{"the provider fails", 503, map[string]string{"Retry-After": "3"}, `<html>`,
			Unreachable, 3 * time.Second, "token endpoint: unreachable: status 503"},
		{"a gateway's failure is no word on the grant", 502, nil, `{"error":"invalid_grant"}`,
			Unreachable, 0, "token endpoint: unreachable: status 502: invalid_grant"},
		{"the provider says that it fails", 400, nil, `{"error":"temporarily_unavailable"}`,
			Unreachable, 0, "token endpoint: unreachable: status 400: temporarily_unavailable"},
		{"a portal's page in between", 403, map[string]string{"Content-Type": "text/html"}, `<h1>Log in to the network</h1>`,
			Unreachable, 0, "token endpoint: unreachable: status 403"},
		{"an error under a good status", 200, nil, `{"error":"invalid_grant"}`,
			InvalidGrant, 0, "token endpoint: invalid grant: status 200: invalid_grant"},
		{"a body that is a form", 400, map[string]string{"Content-Type": "application/x-www-form-urlencoded"}, `error=invalid_grant`,
			InvalidGrant, 0, "token endpoint: invalid grant: status 400: invalid_grant"},
		{"a body of the wrong types", 400, nil, `{"error":{"code":1}}`,
			Rejected, 0, "token endpoint: rejected: status 400"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := ClassifyTokenError(refuse(t, tc.status, tc.header, tc.body))
			if got.Kind != tc.kind || got.RetryAfter != tc.wait || got.Error() != tc.text {
				t.Errorf("got %v, wait %v, %q", got.Kind, got.RetryAfter, got)
			}
		})
	}
}

func TestNoAnswerIsUnreachable(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = listener.Close()
	config := oauth2.Config{Endpoint: oauth2.Endpoint{TokenURL: "http://" + listener.Addr().String(), AuthStyle: oauth2.AuthStyleInHeader}}
	_, refused := config.TokenSource(t.Context(), &oauth2.Token{RefreshToken: "r"}).Token()
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	_, gone := config.TokenSource(canceled, &oauth2.Token{RefreshToken: "r"}).Token()
	for name, err := range map[string]error{
		"connection refused": refused, "gave up": gone, "deadline": context.DeadlineExceeded,
		"malformed answer": errors.New("oauth2: cannot parse json: unexpected end of JSON input"),
		"no error at all":  nil, "an error without its answer": &oauth2.RetrieveError{},
	} {
		if got := ClassifyTokenError(err); got.Kind != Unreachable || got.Status != 0 {
			t.Errorf("%s: got %v", name, got)
		}
	}
	if !errors.Is(ClassifyTokenError(gone), context.Canceled) {
		t.Error("that the caller gave up is lost")
	}
}

func TestNoSecretReachesALog(t *testing.T) {
	secret := "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJVMmFkYSJ9.c2ln"
	err := refuse(t, 400, nil, `{"error":"`+secret+`","error_description":"token `+secret+` is\nnot good\u0000 `+strings.Repeat("x ", 500)+`"}`)
	classified := ClassifyTokenError(err)
	text := classified.Error()
	if strings.Contains(text, "eyJ") || strings.ContainsAny(text, "\n\x00") || len(text) > 2*maxText {
		t.Errorf("got %q", text)
	}
	var whole *oauth2.RetrieveError
	if errors.As(classified, &whole) {
		t.Error("the whole body can be had from the classified error")
	}
}
