package authz

// Mode says how an Access decides.
type Mode uint8

const (
	// ModeRules asks the rules. It is the zero value, and no rules allow nobody.
	ModeRules Mode = iota
	// ModeAuthenticated allows everybody who is signed in.
	ModeAuthenticated
	// ModePublic allows everybody.
	ModePublic
)

// Access says who may use a route. The zero value allows nobody.
type Access struct {
	Mode  Mode
	Rules []Rule // ModeRules; the first that holds decides

	// UnverifiedEmail lets rules take an address that the provider has not
	// verified. Whoever may choose an address at sign-up then chooses their access.
	UnverifiedEmail bool
}

// Reason says why a request was allowed or denied. The words are the same in logs,
// metrics and explanations. Decide gives the first five; the others are for who
// calls it.
type Reason string

const (
	ReasonPublic        Reason = "public"
	ReasonAuthenticated Reason = "authenticated"
	ReasonRule          Reason = "rule"
	ReasonNoSession     Reason = "no_session"
	ReasonNoRule        Reason = "no_rule"

	ReasonExpired     Reason = "expired"
	ReasonRevoked     Reason = "revoked"
	ReasonBadToken    Reason = "bad_token"
	ReasonCrossOrigin Reason = "cross_origin"
	ReasonNoRoute     Reason = "no_route"
	ReasonBadPath     Reason = "bad_path"
	ReasonUnavailable Reason = "unavailable"
)

// NoRule is Decision.Rule where no rule decided.
const NoRule = -1

// Decision is what came of a request. The zero value denies.
type Decision struct {
	Allow  bool
	Reason Reason
	Rule   int    // index of the rule that decided, or NoRule
	Tenant string // that decided, to be named to the upstream; "" where none is
}

// Decide says whether the person may. A nil identity is nobody. hostTenant is the
// ID of the tenant that the request's host stands for, "" where it stands for
// none. Decide does not allocate: it runs on every request and, when a policy
// changes, on every open stream.
func (a *Access) Decide(id *Identity, hostTenant string) Decision {
	if decision, settled := a.settle(id); settled {
		return decision
	}
	return a.walk(id, hostTenant, nil)
}

// settle decides where no rule need be asked.
func (a *Access) settle(id *Identity) (Decision, bool) {
	switch {
	case a == nil || a.Mode > ModePublic:
		return Decision{Reason: ReasonNoRule, Rule: NoRule}, true
	case a.Mode == ModePublic:
		return Decision{Allow: true, Reason: ReasonPublic, Rule: NoRule}, true
	case id == nil:
		return Decision{Reason: ReasonNoSession, Rule: NoRule}, true
	case a.Mode == ModeAuthenticated:
		return Decision{Allow: true, Reason: ReasonAuthenticated, Rule: NoRule}, true
	}
	return Decision{}, false
}

// walk lets the first rule that holds decide. It stops there unless somebody is to
// be shown how each of the rules fared.
func (a *Access) walk(id *Identity, hostTenant string, show func(index int, o outcome)) Decision {
	decision := Decision{Reason: ReasonNoRule, Rule: NoRule}
	for i := range a.Rules {
		o := a.Rules[i].evaluate(id, hostTenant, a.UnverifiedEmail)
		if o.holds && !decision.Allow {
			decision = Decision{Allow: true, Reason: ReasonRule, Rule: i, Tenant: o.tenant}
		}
		if show != nil {
			show(i, o)
		} else if decision.Allow {
			break
		}
	}
	return decision
}
