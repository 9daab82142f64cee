package authn

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net/http"
	"time"
)

const (
	// callTimeout is when a call to the provider is given up.
	callTimeout = 10 * time.Second
	// maxAnswer bounds what the provider may answer, after decompression: a
	// discovery document or token answer of gigabytes must not fill memory.
	maxAnswer = 1 << 20
)

// NewHTTPClient returns the client for all calls to the provider. It honours
// HTTPS_PROXY, gives up after 10 s, reads at most 1 MiB of an answer, and
// follows no redirect: a token request that is sent elsewhere would take the
// client secret along. roots nil means the system's.
func NewHTTPClient(roots *x509.CertPool) *http.Client {
	return &http.Client{
		Timeout: callTimeout,
		Transport: &boundedTransport{&http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			TLSClientConfig:        &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
			ForceAttemptHTTP2:      true,
			MaxIdleConnsPerHost:    8,
			IdleConnTimeout:        90 * time.Second,
			TLSHandshakeTimeout:    callTimeout,
			MaxResponseHeaderBytes: 64 << 10,
		}},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

type boundedTransport struct{ next http.RoundTripper }

func (t *boundedTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := t.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	res.Body = &boundedBody{ReadCloser: res.Body, left: maxAnswer}
	return res, nil
}

var errAnswerTooLarge = errors.New("the provider's answer is larger than 1 MiB")

type boundedBody struct {
	io.ReadCloser
	left int64
}

func (b *boundedBody) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errAnswerTooLarge
	}
	if int64(len(p)) > b.left {
		p = p[:b.left]
	}
	n, err := b.ReadCloser.Read(p)
	b.left -= int64(n)
	return n, err
}
