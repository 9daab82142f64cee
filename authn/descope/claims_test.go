package descope

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"gatehouse/authz"
)

type tenants = map[string]authz.Grants

func roles(names ...string) authz.Grants { return authz.Grants{Roles: names} }

func TestWhereRolesOfTheRootCount(t *testing.T) {
	for _, tc := range []struct {
		name    string
		claims  string
		tenants tenants
		project authz.Grants
	}{
		{"a tenants object holds its own roles and those of the root are project level",
			`"tenants":{"T2acme":{"roles":["Tenant Admin"],"permissions":["User Admin"]},"T2beta":{}},"roles":["Support"],"permissions":["Read"],"dct":"T2acme"`,
			tenants{"T2acme": {Roles: []string{"Tenant Admin"}, Permissions: []string{"User Admin"}}, "T2beta": {}},
			authz.Grants{Roles: []string{"Support"}, Permissions: []string{"Read"}}},
		{"without tenants the roles of the root are those of dct",
			`"dct":"T2acme","roles":["Tenant Admin"],"permissions":["User Admin"]`,
			tenants{"T2acme": {Roles: []string{"Tenant Admin"}, Permissions: []string{"User Admin"}}}, authz.Grants{}},
		{"null tenants are absent tenants",
			`"tenants":null,"dct":"T2acme","roles":["Member"]`, tenants{"T2acme": roles("Member")}, authz.Grants{}},
		{"dct alone makes a member without roles",
			`"dct":"T2acme"`, tenants{"T2acme": {}}, authz.Grants{}},
		{"without tenants and dct the roles of the root are project level",
			`"roles":["Member"]`, nil, roles("Member")},
		{"empty tenants are there, so the root is project level whatever dct says",
			`"tenants":{},"dct":"T2acme","roles":["Tenant Admin"]`, nil, roles("Tenant Admin")},
		{"an empty array of tenants is there too",
			`"tenants":[],"dct":"T2acme","roles":["Tenant Admin"]`, nil, roles("Tenant Admin")},
		{"tenants as a list of IDs count as none",
			`"tenants":["T2acme"],"dct":"T2acme","roles":["Tenant Admin"]`, nil, roles("Tenant Admin")},
		{"tenants as a string count as none",
			`"tenants":"T2acme","dct":"T2acme","roles":["Tenant Admin"]`, nil, roles("Tenant Admin")},
		{"tenants as false count as none",
			`"tenants":false,"dct":"T2acme","roles":["Tenant Admin"]`, nil, roles("Tenant Admin")},
		{"a tenant that stands twice leaves no tenants",
			`"tenants":{"T2acme":{"roles":["Tenant Admin"]},"T2acme":{}}`, nil, authz.Grants{}},
		{"dct may name a tenant that tenants leave out",
			`"tenants":{"T2beta":{"roles":["Member"]}},"dct":"T2acme","roles":["Tenant Admin"]`,
			tenants{"T2beta": roles("Member")}, roles("Tenant Admin")},
		{"an entry of null is a member without roles",
			`"tenants":{"T2acme":null}`, tenants{"T2acme": {}}, authz.Grants{}},
		{"an entry that is no object drops its tenant alone",
			`"tenants":{"T2a":["Tenant Admin"],"T2b":"Tenant Admin","T2c":7,"T2d":true,"T2e":{"roles":["Member"]}}`,
			tenants{"T2e": roles("Member")}, authz.Grants{}},
		{"an entry with a name twice drops its tenant",
			`"tenants":{"T2a":{"roles":["Member"],"roles":["Tenant Admin"]}}`, nil, authz.Grants{}},
		{"a tenant without an ID is none",
			`"tenants":{"":{"roles":["Tenant Admin"]}}`, nil, authz.Grants{}},
		{"IDs keep their case and their dots",
			`"tenants":{"acme.example":{"roles":["A"]},"ACME.example":{"roles":["B"]}}`,
			tenants{"acme.example": roles("A"), "ACME.example": roles("B")}, authz.Grants{}},
		{"names in other case are other claims",
			`"Tenants":{"T2acme":{"roles":["Tenant Admin"]}},"ROLES":["Tenant Admin"]`, nil, authz.Grants{}},
		{"names in other case within an entry are nothing",
			`"tenants":{"T2acme":{"Roles":["Tenant Admin"]}}`, tenants{"T2acme": {}}, authz.Grants{}},
		{"of a list of roles only its strings count",
			`"roles":["A",1,null,{"x":"B"},["C"],"","D"]`, nil, roles("A", "D")},
		{"roles that are no list count as none",
			`"tenants":{"T2acme":{"roles":"Tenant Admin","permissions":{"0":"User Admin"}}}`, tenants{"T2acme": {}}, authz.Grants{}},
		{"dct that is no string is none",
			`"dct":["T2acme"],"roles":["Member"]`, nil, roles("Member")},
	} {
		t.Run(tc.name, func(t *testing.T) {
			id, err := ParseClaims([]byte(`{"sub":"U2ada",` + tc.claims + `}`))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.tenants, id.Tenants); diff != "" {
				t.Errorf("tenants (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tc.project, id.Project); diff != "" {
				t.Errorf("project level (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAnIDTokenBecomesAnIdentity(t *testing.T) {
	got, err := ParseClaims([]byte(`{
		"iss":"https://api.descope.com/P2x","aud":["P2x"],"sub":"U2ann","iat":1700000000,"exp":1700000600,
		"nonce":"n","amr":["fed","mfa"],"email":"a@acme.example","email_verified":true,"name":"Ann","dct":"T2acme",
		"tenants":{"T2acme":{"roles":["Tenant Admin"]}},"roles":[],"permissions":[],
		"level":3,"share":0.50,"big":12345678901234567890,"beta":true,"team":"ml","groups":["a",1,false,null,{"b":"c"},["d"]],
		"address":{"street":"x"},"none":null,"empty":[],"a.b":"dot","https://acme.example/plan":"gold"}`))
	if err != nil {
		t.Fatal(err)
	}
	want := &authz.Identity{
		Issuer: "https://api.descope.com/P2x", Subject: "U2ann",
		Email: "a@acme.example", EmailVerified: true, Name: "Ann",
		CurrentTenant: "T2acme", Tenants: tenants{"T2acme": roles("Tenant Admin")}, AMR: []string{"fed", "mfa"},
		Claims: map[string][]string{
			"level": {"3"}, "share": {"0.50"}, "big": {"12345678901234567890"}, "beta": {"true"}, "team": {"ml"},
			"groups": {"a", "1", "false"}, "a.b": {"dot"}, "https://acme.example/plan": {"gold"},
		},
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("identity (-want +got):\n%s", diff)
	}
}

func TestWhoIsMeant(t *testing.T) {
	for _, tc := range []struct{ name, claims, subject, err string }{
		{"sub is who", `{"sub":"U2ada","dsub":"K2"}`, "U2ada", ""},
		{"dsub where sub is absent", `{"dsub":"U2ada"}`, "U2ada", ""},
		{"dsub where sub is null", `{"sub":null,"dsub":"U2ada"}`, "U2ada", ""},
		{"an empty sub is nobody, whatever dsub says", `{"sub":"","dsub":"U2ada"}`, "", "claim sub is empty"},
		{"a number is nobody", `{"sub":7,"dsub":"U2ada"}`, "", "claim sub is no string"},
		{"neither is nobody", `{"email":"a@acme.example"}`, "", "claims hold no sub"},
		{"SUB is another claim", `{"SUB":"U2ada"}`, "", "claims hold no sub"},
		{"a sub beyond the length of OpenID Connect", `{"sub":"` + strings.Repeat("u", 256) + `"}`, "", "claim sub is over 255 bytes"},
		{"iss that is no string", `{"sub":"U2ada","iss":["x"]}`, "", "claim iss is no string"},
		{"a sub that stands twice", `{"sub":"U2ada","sub":"U2bob"}`, "", "claims: a name stands twice"},
		{"a sub that stands twice, once escaped", `{"sub":"U2ada","\u0073ub":"U2bob"}`, "", "claims: a name stands twice"},
		{"data behind the object", `{"sub":"U2ada"}{"sub":"U2bob"}`, "", "claims: data behind the JSON object"},
		{"an array", `[{"sub":"U2ada"}]`, "", "claims: not a JSON object"},
		{"null", `null`, "", "claims: not a JSON object"},
		{"nothing", ``, "", "claims: not a JSON object"},
		{"a cut object", `{"sub":"U2ada"`, "", "claims: not valid JSON"},
		{"a missing colon", `{"sub" "U2ada"}`, "", "claims: not valid JSON"},
		{"more than a claims set can need", `{"sub":"U2ada","x":"` + strings.Repeat("x", maxClaims) + `"}`, "", "claims are over 1048576 bytes"},
		{"depth beyond reason", `{"sub":"U2ada","x":` + strings.Repeat("[", 400_000) + `}`, "", "claims: not valid JSON"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			id, err := ParseClaims([]byte(tc.claims))
			if tc.err != "" {
				if err == nil || err.Error() != tc.err {
					t.Fatalf("got error %v, want %q", err, tc.err)
				}
				return
			}
			if err != nil || id.Subject != tc.subject {
				t.Fatalf("got %v, %v, want %s", id, err, tc.subject)
			}
		})
	}
}

func TestSmallClaimsOfEveryType(t *testing.T) {
	for _, tc := range []struct {
		claims   string
		verified bool
		email    string
		amr      []string
	}{
		{`"email":"a@b.example","email_verified":true`, true, "a@b.example", nil},
		{`"email":"a@b.example","email_verified":"true"`, true, "a@b.example", nil},
		{`"email":"a@b.example","email_verified":"True"`, false, "a@b.example", nil},
		{`"email":"a@b.example","email_verified":1`, false, "a@b.example", nil},
		{`"email":"a@b.example","email_verified":null`, false, "a@b.example", nil},
		{`"email":"a@b.example","Email_Verified":true`, false, "a@b.example", nil},
		{`"email":["a@b.example"],"email_verified":true`, true, "", nil},
		{`"amr":"fed"`, false, "", []string{"fed"}},
		{`"amr":["email",1,"mfa"]`, false, "", []string{"email", "mfa"}},
		{`"amr":{"0":"fed"}`, false, "", nil},
	} {
		t.Run(tc.claims, func(t *testing.T) {
			id, err := ParseClaims([]byte(`{"sub":"U2ada",` + tc.claims + `}`))
			if err != nil {
				t.Fatal(err)
			}
			if id.EmailVerified != tc.verified || id.Email != tc.email || !slices.Equal(id.AMR, tc.amr) {
				t.Errorf("got %v %q %q", id.EmailVerified, id.Email, id.AMR)
			}
		})
	}
}

func TestFourHundredTenantsAreRead(t *testing.T) {
	all := make(map[string]any)
	for i := range 400 {
		all[fmt.Sprintf("T2%027d", i)] = map[string]any{"roles": []string{"Tenant Admin"}}
	}
	raw, err := json.Marshal(map[string]any{"sub": "U2ada", "tenants": all})
	if err != nil {
		t.Fatal(err)
	}
	id, err := ParseClaims(raw)
	if err != nil || len(id.Tenants) != 400 {
		t.Fatalf("got %d tenants, %v", len(id.Tenants), err)
	}
}
