package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"gatehouse/authz"
	"gatehouse/proxy"
	"gatehouse/proxy/route"
)

// explain tells people what came of a question. It is for the operator, and so
// shows what no page shows: the tenants, addresses and subjects of the rules.
func (p *program) explain(policy *proxy.Policy, q *question, a *proxy.Answer) error {
	t := &teller{w: p.stdout, painter: p.painter(p.stdout), policy: policy, q: q, a: a}
	t.asked()
	t.verdict()
	t.place()
	t.rules()
	t.change()
	if t.err != nil {
		return failed{t.err}
	}
	return nil
}

// A teller writes an explanation, part by part.
type teller struct {
	painter
	w      io.Writer
	policy *proxy.Policy
	q      *question
	a      *proxy.Answer
	err    error
}

func (t *teller) say(format string, args ...any) {
	if t.err == nil {
		_, t.err = fmt.Fprintf(t.w, format+"\n", args...)
	}
}

// asked says what was asked, and for whom.
func (t *teller) asked() {
	address := plain(t.q.url)
	if t.a.Host != "" && t.a.Path != "" {
		address = t.policy.Origin(t.a.Host) + t.a.Path
	}
	t.say("%s %s", t.q.method, address)
	if t.q.id == nil {
		t.say("  as nobody: signed out")
		return
	}
	t.say("  as %s", plain(personOf(t.q.id)))
	for _, line := range grantsOf(t.q.id) {
		t.say("     %s", plain(line))
	}
	if t.a.HostTenant != "" {
		t.say("  on the host of tenant %s", t.a.HostTenant)
	}
}

func personOf(id *authz.Identity) string {
	var parts []string
	if id.Name != "" {
		parts = append(parts, id.Name)
	}
	if id.Email != "" {
		verified := ""
		if !id.EmailVerified {
			verified = " (not verified)"
		}
		parts = append(parts, "<"+id.Email+">"+verified)
	}
	if id.Subject != "" {
		parts = append(parts, "sub "+id.Subject)
	}
	if len(parts) == 0 {
		return "somebody without name, email and sub"
	}
	return strings.Join(parts, " ")
}

// grantsOf says what somebody holds, a line a place.
func grantsOf(id *authz.Identity) []string {
	var lines []string
	for tenant, g := range id.Tenants {
		line := "in tenant " + tenant + ": " + held(g)
		if tenant == id.CurrentTenant {
			line += " (dct)"
		}
		lines = append(lines, line)
	}
	slices.Sort(lines)
	if len(id.Tenants) == 0 {
		lines = append(lines, "in no tenant")
	}
	if len(id.Project.Roles)+len(id.Project.Permissions) > 0 {
		lines = append(lines, "at project level: "+held(id.Project))
	}
	return lines
}

func held(g authz.Grants) string {
	s := "no roles"
	if len(g.Roles) > 0 {
		s = "roles " + strings.Join(g.Roles, ", ")
	}
	if len(g.Permissions) > 0 {
		s += "; permissions " + strings.Join(g.Permissions, ", ")
	}
	return s
}

// verdict says what comes of it, in a word and a sentence.
func (t *teller) verdict() {
	a := t.a
	colour, sentence := red, ""
	switch a.Outcome {
	case proxy.OutcomeAllow:
		colour, sentence = green, t.whyAllowed()
	case proxy.OutcomeSignIn:
		colour, sentence = yellow, "pages lead to the sign-in, anything else gets 401"
	case proxy.OutcomeDeny:
		sentence = "403"
		if a.Found.Kind == route.Landing {
			sentence = "403: there is no app below this address that they may open"
		}
	case proxy.OutcomeNotFound:
		sentence = "404: no route takes it"
		if a.Found.Kind == route.UnknownHost {
			sentence = "no route is on the host " + a.Host + ": pages lead to " + a.LeadsTo + ", anything else gets 421"
		}
	case proxy.OutcomeBadRequest:
		sentence = "400: " + a.Err.Error()
		if a.Reason == "" {
			sentence = "405: " + a.Err.Error()
		}
	}
	t.say("\n%s%s: %s", t.paint(colour, string(a.Outcome)), because(a), sentence)
}

func (t *teller) whyAllowed() string {
	a := t.a
	switch {
	case a.Found.Kind == route.Landing:
		return "a landing; it leads to " + a.LeadsTo
	case a.Route == nil:
		return "something of Gatehouse's own, which is everybody's"
	case a.Reason == authz.ReasonPublic:
		return "the route is public"
	case a.Reason == authz.ReasonAuthenticated:
		return "everybody who is signed in may"
	case a.Tenant() != "":
		return fmt.Sprintf("allow[%d] holds, in tenant %s", a.Explanation.Rule, plain(a.Tenant()))
	}
	return fmt.Sprintf("allow[%d] holds; no tenant is named to the app", a.Explanation.Rule)
}

// place says which route took it, and why the others on this host did not.
func (t *teller) place() {
	if t.a.Err != nil {
		return
	}
	elsewhere := 0
	var others []string
	for _, rt := range t.policy.Routes {
		if rt == t.a.Route {
			t.say("\nroute %s: path %s%s", t.paint(bold, rt.Name), rt.Prefix, onHost(rt))
			continue
		}
		why := t.policy.WhyNot(rt, t.a)
		if strings.HasPrefix(why, "is on ") {
			elsewhere++
			continue
		}
		others = append(others, "  not "+rt.Name+": "+why)
	}
	if t.a.Route == nil && len(others) > 0 {
		t.say("")
	}
	for _, line := range others {
		t.say("%s", line)
	}
	if elsewhere > 0 {
		t.say("  not %s on other hosts", count(elsewhere, "route"))
	}
}

func onHost(rt *proxy.Route) string {
	if rt.Host == "" {
		return ""
	}
	return " on " + rt.Host
}

// rules says how each rule fared, field by field.
func (t *teller) rules() {
	if len(t.a.Explanation.Rules) == 0 {
		return
	}
	t.say("\nrules, of which the first that holds decides:")
	for _, r := range t.a.Explanation.Rules {
		word := t.paint(red, "fails")
		if r.Holds {
			word = t.paint(green, "holds")
		}
		t.say("  allow[%d] %s", r.Index, word)
		rule := &t.a.Route.Access.Rules[r.Index]
		for _, f := range fieldsOf(rule, t.a.HostTenant) {
			word := "holds"
			if slices.Contains(r.Failed, f.name) {
				word = t.paint(red, "fails")
			} else if slices.Contains(r.Failed, "tenant") && (f.name == "roles" || f.name == "permissions") {
				word = "-    " // of a tenant that they are not in
			}
			t.say("    %-13s %s  %s", f.name, word, f.want)
		}
	}
}

// change says what would have to be otherwise.
func (t *teller) change() {
	switch t.a.Outcome {
	case proxy.OutcomeSignIn:
		if t.a.Route != nil && t.a.Route.Access.Mode == authz.ModeAuthenticated {
			t.say("\nTo be allowed: sign in. That is all that this route asks.")
		} else {
			t.say("\nTo be allowed: sign in, as somebody for whom a rule holds.")
		}
	case proxy.OutcomeDeny:
		t.missing()
	}
}

func (t *teller) missing() {
	m := t.a.Explanation.Missing
	if len(m.Roles)+len(m.Permissions) > 0 {
		t.say("")
	}
	if len(m.Roles) > 0 {
		t.say("missing roles: %s", strings.Join(m.Roles, " or "))
	}
	if len(m.Permissions) > 0 {
		t.say("missing permissions: %s", strings.Join(m.Permissions, " or "))
	}
	if len(t.a.Explanation.Rules) == 0 {
		return
	}
	t.say("\nTo be allowed, one of these would do:")
	for _, r := range t.a.Explanation.Rules {
		rule := &t.a.Route.Access.Rules[r.Index]
		t.say("  allow[%d]: %s", r.Index, plain(remedy(rule, r.Failed, t.q.id, t.a)))
	}
}
