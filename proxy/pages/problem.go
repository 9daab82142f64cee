package pages

import (
	"io"
	"net/http"
)

// Problem is an answer that is nobody's denial: a wrong address, a lost sign-in,
// an upstream that is away. Status alone makes a good page; the other fields
// replace what it would say.
type Problem struct {
	Status    int
	Title     string
	Message   string
	Action    string // words of the button
	ActionURL string // empty: the portal where the words lead there, or what Again says
	Again     bool   // opening the same address once more is what the words ask for
	RequestID string
}

// Problem writes the page of a status.
func (p *Pages) Problem(w io.Writer, v Problem) error {
	said := problemWords(v.Status)
	if v.Title != "" {
		said.title = v.Title
		said.text = nil
	}
	if v.Message != "" {
		said.text = []string{v.Message}
	}
	if v.Action != "" {
		said.action = v.Action
	}
	if v.ActionURL == "" && said.action == toApps {
		v.ActionURL = p.home
	}
	return p.render(w, "problem", said.title, v.RequestID, problemView{
		Status: v.Status, Paragraphs: said.text, Action: said.action, ActionURL: v.ActionURL,
		Again: v.Again && v.ActionURL == "" && said.action == tryAgain,
	})
}

// problemView is what problem.html shows, for statuses and sign-in errors alike.
type problemView struct {
	Status     int // 0 shows none
	Paragraphs []string
	Setting    string // the setting that the operator would change
	Last       string // one more paragraph, below the setting
	Action     string
	ActionURL  string
	Again      bool // the action opens the same address, which the page need not know
	Futile     bool // the action is no remedy yet, so it is not the button to press first
}

// words is what a page says: what happened, then what to do.
type words struct {
	title  string
	text   []string
	action string
}

// Two actions that need no address of their own: the portal, and the same page.
const (
	toApps   = "Go to your apps"
	tryAgain = "Try again"
)

// quoteID is added where only the logs can tell more.
const quoteID = "When you ask for help, pass on the request ID below."

func problemWords(status int) words {
	switch status {
	case http.StatusBadRequest:
		return words{"This address does not work",
			[]string{"Something in the address or the request cannot be understood.",
				"Check the address for stray characters, or start from the list of apps."}, toApps}
	case http.StatusUnauthorized:
		return words{"Sign in to go on",
			[]string{"Your session has ended, so what you just sent was not delivered.",
				"Sign in, then go back and send it again."}, "Sign in"}
	case http.StatusForbidden:
		return words{"This request was stopped",
			[]string{"It came from another site, which may not act here in your name.",
				"Open the app itself and try again there."}, toApps}
	case http.StatusNotFound:
		return words{"Nothing is here",
			[]string{"No app lives at this address.",
				"Check it for a typing mistake, or start from the list of apps."}, toApps}
	case http.StatusMethodNotAllowed:
		return words{"This cannot be done here",
			[]string{"The address exists, and it does not take this kind of request.",
				"Go back and open it as a link."}, toApps}
	case http.StatusRequestEntityTooLarge:
		return words{"That is too large",
			[]string{"What you sent is larger than this app accepts, and none of it was kept.",
				"Go back and send a smaller file."}, "Go back"}
	case http.StatusMisdirectedRequest:
		return words{"This is not the right address",
			[]string{"No site answers here under this name.",
				"Check the first part of the address, up to the first slash."}, "Go to the right address"}
	case http.StatusRequestHeaderFieldsTooLarge:
		return words{"Your browser sent too much",
			[]string{"The address or the cookies of this site have grown too large.",
				"Delete the cookies of this site in your browser's settings, then try again."}, tryAgain}
	case http.StatusBadGateway:
		return words{"This app is not answering",
			[]string{"You were let through, but the app behind this address could not be reached. It may be restarting.",
				"Wait a moment and try again."}, tryAgain}
	case http.StatusServiceUnavailable:
		return words{"Not available right now",
			[]string{"The service that confirms who you are cannot be reached. Your session is kept.",
				"Wait a minute and try again. There is no need to sign in anew."}, tryAgain}
	case http.StatusGatewayTimeout:
		return words{"This app takes too long",
			[]string{"It received your request and did not answer in time.",
				"It may be busy. Wait a moment and try again."}, tryAgain}
	}
	return words{"Something went wrong",
		[]string{"The request could not be completed.", "Try again. If it happens once more, ask the people who run this site."}, tryAgain}
}
