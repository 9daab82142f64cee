package main

import (
	"encoding/json"
	"fmt"

	"gatehouse/authz"
	"gatehouse/config"
	"gatehouse/proxy"
)

// A testResult is what came of one policy test.
type testResult struct {
	Index  int           `json:"index"`
	Method string        `json:"method"`
	URL    string        `json:"url"`
	Want   string        `json:"want"`
	Got    proxy.Outcome `json:"got"`
	Reason authz.Reason  `json:"reason"`
	OK     bool          `json:"ok"`

	problem config.Problem // where it is not OK
}

// runTests asks the policy what each test asks.
func runTests(c *config.Config, policy *proxy.Policy) []testResult {
	results := make([]testResult, 0, len(c.Tests))
	for i, t := range c.Tests {
		results = append(results, runTest(c, policy, i, t))
	}
	return results
}

func runTest(c *config.Config, policy *proxy.Policy, index int, t config.Test) testResult {
	key := fmt.Sprintf("tests[%d]", index)
	r := testResult{Index: index, Method: t.Method, URL: t.URL, Want: t.Want}
	id, err := testPerson(t)
	if err != nil {
		r.problem = c.Problem(key+".as", err.Error()+"; want anonymous, or the claims of an ID token")
		return r
	}
	a := policy.Ask(t.Method, t.URL, id)
	r.Got, r.Reason = a.Outcome, a.Reason
	r.OK = string(a.Outcome) == t.Want
	if !r.OK {
		r.problem = c.Problem(key, fmt.Sprintf("%s %s: want %s, got %s%s", t.Method, t.URL, t.Want, a.Outcome, because(&a)))
	}
	return r
}

// because is a reason behind an outcome, in brackets.
func because(a *proxy.Answer) string {
	if a.Reason == "" {
		return ""
	}
	return " (" + string(a.Reason) + ")"
}

// testPerson is whose request a test is: nil is nobody.
func testPerson(t config.Test) (*authz.Identity, error) {
	if t.Anonymous {
		return nil, nil
	}
	raw, err := json.Marshal(t.As)
	if err != nil {
		return nil, err
	}
	return claimsIdentity(raw)
}
