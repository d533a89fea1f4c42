package sample

var (
	women = []string{"Alice", "Anna", "Beth", "Carla", "Diana", "Ellen", "Fatima", "Grace", "Hannah", "Ines", "Julia", "Karin", "Laura", "Maria", "Nina", "Olga", "Petra", "Rosa", "Sofia", "Wendy"}
	men   = []string{"Adam", "Bruno", "Carl", "David", "Emil", "Felix", "George", "Henry", "Ivan", "Jonas", "Kevin", "Leo", "Martin", "Nils", "Omar", "Paul", "Robert", "Simon", "Tom", "Victor"}

	topics = []string{
		"the spring campaign", "the new office", "the customer survey", "the annual budget", "the training program",
		"the web site", "the supplier contract", "the safety review", "the product launch", "the hiring plan",
		"the warehouse move", "the summer party", "the price list", "the software update", "the travel policy",
		"the quarterly results", "the support desk", "the trade fair", "the pension scheme", "the pilot project",
	}
	// things are spoken of as one or as several.
	things = []string{
		"report", "draft", "contract", "presentation", "agenda", "summary", "proposal", "schedule", "checklist", "spreadsheet",
		"invoices", "figures", "slides", "minutes", "comments", "estimates", "photos", "notes", "receipts", "drawings",
	}
	days    = []string{"Monday", "Tuesday", "Wednesday", "Thursday", "Friday"}
	months  = []string{"January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"}
	lengths = []int{31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31}
	cities  = []string{"Berlin", "Lisbon", "Dublin", "Vienna", "Prague", "Madrid", "Oslo", "Turin", "Geneva", "Bristol", "Boston", "Denver"}
	rooms   = []string{"the large meeting room", "the small meeting room", "room {number}", "my office", "the canteen", "the lobby", "the training room"}
	numbers = []string{"two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "twelve", "fifteen", "twenty"}
)

// firstPlural is where in things those begin that are several.
const firstPlural = 10
