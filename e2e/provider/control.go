package main

import (
	"context"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"time"

	"gatehouse/authn/descopetest"
)

// control is the API by which tests steer the provider. Every action is a POST
// of a JSON object and answers 200 with one, or 400 with {"error": …}:
//
//	/control/roles            person, tenant, roles
//	/control/remove-tenant    person, tenant
//	/control/person           person, email_unverified, project, custom, override
//	/control/fail             endpoint, times, after_work, status, body, header, size,
//	                          hang, reset, id_token, retry_after (seconds; status 429)
//	/control/recover          endpoints (none: all of them)
//	/control/hold             endpoint: its requests wait until
//	/control/release          endpoint
//	/control/session-ttl      seconds
//	/control/rotate-keys      forget
//	/control/revoke-sessions  person
//	/control/backchannel      url, sub or sid, override → status
//	/control/accesskey        id, tenants, roles, permissions → key, key_id, token (a session JWT)
//	/control/access-token     person, override → token (an access token)
//	/control/session-token    person, override → token (a session JWT)
//	/control/reset-requests
//
// and GET /control/requests tells what came: counts by endpoint, overlap,
// reuses, and with ?endpoint= the requests themselves.
type control struct {
	*descopetest.Provider
	holds map[descopetest.Endpoint]*descopetest.Hold
	busy  chan struct{} // one action at a time
}

// order holds the fields of all actions.
type order struct {
	Person    string                        `json:"person"`
	Tenant    string                        `json:"tenant"`
	Roles     []string                      `json:"roles"`
	Endpoint  descopetest.Endpoint          `json:"endpoint"`
	Endpoints []descopetest.Endpoint        `json:"endpoints"`
	Seconds   float64                       `json:"seconds"`
	Forget    bool                          `json:"forget"`
	URL       string                        `json:"url"`
	Subject   string                        `json:"sub"`
	SID       string                        `json:"sid"`
	ID        string                        `json:"id"`
	Tenants   map[string]descopetest.Grants `json:"tenants"`
	Project   *descopetest.Grants           `json:"project"`
	Custom    map[string]any                `json:"custom"`
	Override  map[string]any                `json:"override"`

	Permissions     []string `json:"permissions"`
	EmailUnverified *bool    `json:"email_unverified"`

	Times      int                      `json:"times"`
	AfterWork  bool                     `json:"after_work"`
	Status     int                      `json:"status"`
	Body       string                   `json:"body"`
	Header     map[string]string        `json:"header"`
	Size       int64                    `json:"size"`
	Hang       bool                     `json:"hang"`
	Reset      bool                     `json:"reset"`
	IDToken    descopetest.IDTokenFault `json:"id_token"`
	RetryAfter int                      `json:"retry_after"`
}

type answer map[string]any

// newControl returns the API's handler.
func newControl(provider *descopetest.Provider) http.Handler {
	c := &control{Provider: provider, holds: make(map[descopetest.Endpoint]*descopetest.Hold), busy: make(chan struct{}, 1)}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /control/requests", c.requests)
	for path, action := range map[string]func(context.Context, *order) (answer, error){
		"roles": c.roles, "remove-tenant": c.removeTenant, "person": c.person,
		"fail": c.fail, "recover": c.recover, "hold": c.hold, "release": c.release,
		"session-ttl": c.sessionTTL, "rotate-keys": c.rotateKeys, "revoke-sessions": c.revokeSessions,
		"backchannel": c.backchannel, "accesskey": c.accessKey, "access-token": c.accessToken,
		"session-token": c.sessionToken, "reset-requests": c.resetRequests,
	} {
		mux.HandleFunc("POST /control/"+path, c.do(action))
	}
	return mux
}

// do reads an order and writes the answer. It insists on JSON's media type,
// which no page of another origin can send without asking first.
func (c *control) do(action func(context.Context, *order) (answer, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var o order
		media, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
		decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&o); err != nil || media != "application/json" {
			write(w, http.StatusBadRequest, answer{"error": fmt.Sprintf("a JSON object of the fields in control.go is wanted, as application/json: %v", err)})
			return
		}
		c.busy <- struct{}{}
		defer func() { <-c.busy }()
		a, err := action(r.Context(), &o)
		if err != nil {
			write(w, http.StatusBadRequest, answer{"error": err.Error()})
			return
		}
		if a == nil {
			a = answer{}
		}
		write(w, http.StatusOK, a)
	}
}

func write(w http.ResponseWriter, status int, a answer) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(a)
}

func (c *control) requests(w http.ResponseWriter, r *http.Request) {
	a := answer{"counts": c.Requests(), "overlap": c.Overlap(), "reuses": c.Reuses()}
	if endpoint := r.URL.Query().Get("endpoint"); endpoint != "" {
		recorded := []answer{}
		for _, one := range c.Recorded(descopetest.Endpoint(endpoint)) {
			recorded = append(recorded, answer{
				"method": one.Method, "path": one.Path, "form": one.Form, "auth": one.Auth, "at": one.At.Format(time.RFC3339Nano),
			})
		}
		a["requests"] = recorded
	}
	write(w, http.StatusOK, a)
}

func (c *control) resetRequests(context.Context, *order) (answer, error) {
	c.ResetRecord()
	return nil, nil
}

func (c *control) roles(_ context.Context, o *order) (answer, error) {
	return nil, c.SetRoles(o.Person, o.Tenant, o.Roles...)
}

func (c *control) removeTenant(_ context.Context, o *order) (answer, error) {
	return nil, c.RemoveTenant(o.Person, o.Tenant)
}

func (c *control) person(_ context.Context, o *order) (answer, error) {
	return nil, c.Update(o.Person, func(person *descopetest.Person) {
		if o.EmailUnverified != nil {
			person.EmailUnverified = *o.EmailUnverified
		}
		if o.Project != nil {
			person.Project = *o.Project
		}
		if o.Custom != nil {
			person.Custom = o.Custom
		}
		if o.Override != nil {
			person.Override = o.Override
		}
	})
}

func (c *control) fail(_ context.Context, o *order) (answer, error) {
	if o.Endpoint == "" {
		return nil, fmt.Errorf("which endpoint?")
	}
	failure := descopetest.Failure{
		Status: o.Status, Body: o.Body, Size: o.Size, Hang: o.Hang, Reset: o.Reset, IDToken: o.IDToken,
		Header: make(http.Header),
	}
	if o.RetryAfter > 0 {
		failure = descopetest.RateLimit(time.Duration(o.RetryAfter) * time.Second)
	}
	for name, value := range o.Header {
		failure.Header.Set(name, value)
	}
	failure.Times, failure.AfterWork = o.Times, o.AfterWork
	c.Fail(o.Endpoint, failure)
	return nil, nil
}

func (c *control) recover(_ context.Context, o *order) (answer, error) {
	c.Recover(o.Endpoints...)
	return nil, nil
}

func (c *control) hold(_ context.Context, o *order) (answer, error) {
	c.holds[o.Endpoint] = c.Hold(o.Endpoint)
	return nil, nil
}

func (c *control) release(_ context.Context, o *order) (answer, error) {
	hold := c.holds[o.Endpoint]
	if hold == nil {
		return nil, fmt.Errorf("nothing holds %q", o.Endpoint)
	}
	hold.Release()
	return nil, nil
}

func (c *control) sessionTTL(_ context.Context, o *order) (answer, error) {
	if o.Seconds <= 0 {
		return nil, fmt.Errorf("how many seconds?")
	}
	c.SetSessionTTL(time.Duration(o.Seconds * float64(time.Second)))
	return nil, nil
}

func (c *control) rotateKeys(_ context.Context, o *order) (answer, error) {
	return nil, c.RotateKeys(o.Forget)
}

func (c *control) revokeSessions(_ context.Context, o *order) (answer, error) {
	c.RevokeSessions(o.Person)
	return nil, nil
}

func (c *control) backchannel(ctx context.Context, o *order) (answer, error) {
	status, err := c.BackchannelLogout(ctx, http.DefaultClient, o.URL,
		descopetest.Logout{Subject: o.Subject, SID: o.SID, Override: o.Override})
	return answer{"status": status}, err
}

func (c *control) accessKey(_ context.Context, o *order) (answer, error) {
	key := c.NewAccessKey(descopetest.AccessKey{
		ID: o.ID, Tenants: o.Tenants, Custom: o.Custom,
		Project: descopetest.Grants{Roles: o.Roles, Permissions: o.Permissions},
	})
	id, token, err := c.ExchangeAccessKey(key)
	return answer{"key": key, "key_id": id, "token": token}, err
}

func (c *control) accessToken(_ context.Context, o *order) (answer, error) {
	token, err := c.AccessToken(o.Person, o.Override)
	return answer{"token": token}, err
}

func (c *control) sessionToken(_ context.Context, o *order) (answer, error) {
	token, err := c.SessionJWT(o.Person, o.Override)
	return answer{"token": token}, err
}
