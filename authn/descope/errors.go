package descope

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"

	"golang.org/x/oauth2"
)

// Kind is what a failed token request means to the one who asked.
type Kind uint8

const (
	// Unreachable: no answer, or none that says anything about the grant.
	// Trying again later may do.
	Unreachable Kind = iota
	// RateLimited: the same, with the provider's own word on when.
	RateLimited
	// InvalidGrant: the code or refresh token is not good any more.
	InvalidGrant
	// Rejected: the provider will not serve this client or this request, a
	// wrong client secret say. The operator must change something.
	Rejected
)

func (k Kind) String() string {
	switch k {
	case RateLimited:
		return "rate limited"
	case InvalidGrant:
		return "invalid grant"
	case Rejected:
		return "rejected"
	}
	return "unreachable"
}

const (
	// rateLimitCode is errorCode where Descope limits the rate, beside 429.
	rateLimitCode = "E130429"
	// maxRetryAfter bounds what a provider, or whoever answers in its place,
	// can make a caller wait.
	maxRetryAfter = time.Hour
	// maxText bounds what of an answer reaches a log, in bytes.
	maxText = 200
	// maxWord is the longest word of an answer that reaches a log, in bytes:
	// tokens, codes and access keys are longer.
	maxWord = 24
)

// TokenError is a failed request to the token endpoint. Its text is fit for a
// log: of the answer it shows the status, the code and a bounded description
// without anything that could be a token.
type TokenError struct {
	Kind   Kind
	Status int // of the answer, 0 without one
	// Code is `error` of RFC 6749 section 5.2, or Descope's errorCode.
	Code        string
	Description string
	// RetryAfter is how long the provider asks to wait, 0 where it does not
	// say, an hour at most.
	RetryAfter time.Duration

	cause error // nil where an answer came: oauth2's error shows its whole body
}

func (e *TokenError) Error() string {
	var b strings.Builder
	b.WriteString("token endpoint: ")
	b.WriteString(e.Kind.String())
	if e.Status != 0 {
		fmt.Fprintf(&b, ": status %d", e.Status)
	}
	if e.Code != "" {
		b.WriteString(": " + e.Code)
	}
	if e.Description != "" {
		b.WriteString(": " + e.Description)
	}
	return b.String()
}

// Unwrap gives the network's or the context's error, nil where an answer came.
func (e *TokenError) Unwrap() error { return e.cause }

// ClassifyTokenError reads what golang.org/x/oauth2 returned for a token
// request that failed. The body may be RFC 6749's, or Descope's own
// {errorCode, errorDescription, errorMessage}, which its SDKs expect from every
// endpoint. A status of 5xx says nothing about the grant whatever its body
// claims: a session must not end because a gateway wrote something.
func ClassifyTokenError(err error) *TokenError {
	var refused *oauth2.RetrieveError
	if !errors.As(err, &refused) {
		return &TokenError{Kind: Unreachable, Description: networkText(err), cause: err}
	}
	if refused.Response == nil {
		return &TokenError{Kind: Unreachable}
	}
	answer := readBody(refused)
	e := &TokenError{
		Status:      refused.Response.StatusCode,
		Code:        logText(answer.code()),
		Description: logText(answer.description()),
		RetryAfter:  retryAfter(refused.Response.Header),
	}
	e.Kind = answer.kind(e.Status)
	return e
}

// errorBody holds both forms. encoding/json folds the case of names, which does
// no harm here.
type errorBody struct {
	Error            string `json:"error"`
	ErrorDescription string `json:"error_description"`
	DescopeCode      string `json:"errorCode"`
	DescopeText      string `json:"errorDescription"`
	DescopeMessage   string `json:"errorMessage"`
}

func readBody(refused *oauth2.RetrieveError) errorBody {
	var body errorBody
	if json.Unmarshal(refused.Body, &body) != nil {
		// oauth2 understands form-encoded answers as well.
		return errorBody{Error: refused.ErrorCode, ErrorDescription: refused.ErrorDescription}
	}
	return body
}

func (b errorBody) code() string {
	if b.Error != "" {
		return b.Error
	}
	return b.DescopeCode
}

func (b errorBody) description() string {
	if b.ErrorDescription != "" {
		return b.ErrorDescription
	}
	// errorMessage says more than errorDescription, which may be a mere link.
	return strings.TrimSpace(b.DescopeMessage + " " + b.DescopeText)
}

func (b errorBody) kind(status int) Kind {
	switch {
	case status == http.StatusTooManyRequests, b.DescopeCode == rateLimitCode, b.Error == rateLimitCode:
		return RateLimited
	case status >= 500, status == http.StatusRequestTimeout, status >= 300 && status < 400:
		return Unreachable
	}
	switch b.Error {
	case "invalid_grant":
		return InvalidGrant
	case "server_error", "temporarily_unavailable":
		return Unreachable
	case "":
		if b.DescopeCode == "" && b.DescopeText == "" && b.DescopeMessage == "" {
			return b.anonymous(status)
		}
		if b.grantRefused() {
			return InvalidGrant
		}
	}
	return Rejected
}

// anonymous judges an answer in neither form. A client's fault at the token
// endpoint has a body; a bare 404 or a page of HTML comes from something on the
// way, except for 401, which is how proxies of all kinds spell a wrong secret.
func (b errorBody) anonymous(status int) Kind {
	if status == http.StatusUnauthorized || status == http.StatusBadRequest {
		return Rejected
	}
	return Unreachable
}

// grantRefused looks for the words, since Descope publishes no list of the
// codes that its token endpoint answers for a grant that ended.
func (b errorBody) grantRefused() bool {
	text := strings.ToLower(strings.ReplaceAll(b.DescopeCode+" "+b.DescopeText+" "+b.DescopeMessage, "_", " "))
	for _, words := range []string{
		"invalid grant", "refresh token", "authorization code", "user not found", "cannot find user",
	} {
		if strings.Contains(text, words) {
			return true
		}
	}
	return false
}

// retryAfter reads Retry-After, seconds or a date (RFC 9110 section 10.2.3). A
// date is held against the answer's own Date: the two clocks need not agree.
func retryAfter(header http.Header) time.Duration {
	value := strings.TrimSpace(header.Get("Retry-After"))
	if seconds, err := strconv.ParseUint(value, 10, 32); err == nil {
		return min(time.Duration(seconds)*time.Second, maxRetryAfter)
	}
	until, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	now, err := http.ParseTime(header.Get("Date"))
	if err != nil {
		return 0
	}
	return min(max(until.Sub(now), 0), maxRetryAfter)
}

// networkText leaves the URL out: the caller knows whom it asked.
func networkText(err error) string {
	if err == nil {
		return "no error"
	}
	var request *url.Error
	if errors.As(err, &request) {
		err = request.Err
	}
	return bounded(printable(err.Error()))
}

// logText makes a line of what the provider wrote.
func logText(text string) string {
	words := strings.Fields(printable(text))
	for i, word := range words {
		if len(word) > maxWord {
			words[i] = "[left out]"
		}
	}
	return bounded(strings.Join(words, " "))
}

func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, text)
}

func bounded(text string) string {
	if len(text) <= maxText {
		return text
	}
	return strings.ToValidUTF8(text[:maxText], "") + "…"
}
