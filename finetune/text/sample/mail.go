package sample

import (
	"fmt"
	"strings"
)

// fill draws what the message speaks of.
func (m *message) fill() {
	set := func(name, value string) { m.slots[name] = value }
	people := append(append([]string(nil), women...), men...)
	for i := range 3 { // three different ones
		j := i + m.d.below(len(people)-i)
		people[i], people[j] = people[j], people[i]
	}
	set("to", people[0])
	set("from", people[1])
	set("other", people[2])
	set("he", "he")
	set("him", "him")
	set("his", "his")
	for _, w := range women {
		if w == people[2] {
			set("he", "she")
			set("him", "her")
			set("his", "her")
		}
	}
	set("topic", one(m.d, topics))
	thing := m.d.below(len(things))
	set("thing", things[thing])
	for i, name := range []string{"it", "is", "was", "has", "needs"} {
		set(name, [2]string{name, []string{"they", "are", "were", "have", "need"}[i]}[thing/firstPlural])
	}
	set("them", [2]string{"it", "them"}[thing/firstPlural])
	first := m.d.below(len(days) - 1)
	second := first + 1 + m.d.below(len(days)-1-first)
	set("day", days[first])
	set("later", days[second])
	month := m.d.below(len(months))
	set("date", fmt.Sprintf("%s %d", months[month], 1+m.d.below(lengths[month])))
	hour := 8 + m.d.below(9)
	set("time", fmt.Sprintf("%d:%02d", hour, 15*m.d.below(4)))
	set("afternoon", [2]string{"morning", "afternoon"}[hour/12])
	set("city", one(m.d, cities))
	set("room", one(m.d, rooms))
	set("meet", "[meet|sit down together|have a short meeting] on {day} at {time} [to talk about|to go through|about] {topic}")
	set("number", fmt.Sprint(101+m.d.below(60)))
	set("few", one(m.d, numbers))
}

// write chooses a kind of message and writes it.
func (m *message) write() string {
	k := one(m.d, kinds)
	var sentences []string
	for _, s := range k.sentences {
		if s = m.expand(s); s != "" {
			sentences = append(sentences, s)
		}
	}
	return m.expand(greeting) + "\n\n" + strings.Join(sentences, " ") + "\n\n" + m.expand("["+k.close+"]\n{from}")
}

const greeting = "[Hi|Hello|Dear|Good {afternoon},|Hi|Hello] {to}[,|,|,|!]"

// kind is a message about one thing: sentences in their order, and how it closes.
type kind struct {
	sentences []string
	close     string
}

var kinds = []kind{
	{[]string{ // asks for something
		"[I hope you are well.|I hope you had a good weekend.|Thank you for the call on {day}.||]",
		"[Could you|Can you|Would you be able to] [send|forward|give] me the {thing} [for|on|about] {topic} [by|before] {later}[| at the latest]?",
		"[{Other} asked for {them} [this morning|yesterday|twice], and I promised {him} an answer.|{Other} [would like|wants] to go through {them} before {he} [leaves|travels to {city}|meets the customer].|I need {them} for the meeting with {other} on {date}.|]",
		"[If {it} {is} not ready, [a first version|what you have] is fine.|If you need more time, please let me know.|Please tell me if {it} {needs} more work.|]",
	}, "Thanks,|Many thanks,|Thank you,|Thanks for your help,"},
	{[]string{ // sends something
		"[Please find attached|Attached you will find|Here {is}] the {thing} for {topic}.",
		"[{Other} has checked {them}, and {his} comments are included.|I went through {them} with {other} on {day}, and {he} had only {few} remarks.|{It} {was} [finished|updated] on {day}.|There are {few} changes since the last version.]",
		"[{It} {has} to go to the customer by {later}.|{It} {is} due on {later}.|We can still change {them} until {later}.|]",
		"[Please let me know what you think.|Let me know if anything is missing.|Do you have any questions?|]",
	}, "Best regards,|Kind regards,|Best,|Regards,"},
	{[]string{ // asks for a meeting
		"[I would like to {meet}.|[Can|Could|Shall] we {meet}?]",
		"[We can use {room}.|I have booked {room}.|{Other} has booked {room} for us.]",
		"[{Other} will join us, since {he} wrote the {thing}.|{Other} cannot come, but {he} will send {his} notes.|It should take no more than {few} minutes.|]",
		"[If {day} does not suit you, {later} is fine too.|If you cannot make it, please suggest another time.|Is {later} better for you?|]",
	}, "See you on {day},|See you then,|Looking forward to it,|Until {day},"},
	{[]string{ // moves a meeting
		"[I am sorry, but|Unfortunately,|I am afraid that] I have to move our meeting [about|on] {topic} from {day} to {later}.",
		"[{Other} is in {city} until {later}, and we need {him} there.|I have to be in {city} on {day}.|{Other} is ill, and {he} has the {thing}.|The room is taken on {day}.]",
		"[Would {time} [suit|work for] you?|I suggest {time} in {room}.|Is {time} possible?]",
		"[The rest of the plan does not change.|I will bring the {thing}.|]",
	}, "Sorry for the trouble,|Thank you for understanding,|Sorry again,|See you on {later},"},
	{[]string{ // reports
		"[Here is a short update on {topic}.|A quick word about {topic}.|You asked how {topic} is going.]",
		"[We are {few} days ahead of the plan.|We are {few} days behind the plan.|Everything is on time.|There are {few} open points.]",
		"The {thing} {was} sent on {day}, and [{other} will answer by {later}|{other} said that {he} likes {them}|we expect an answer by {later}].",
		"[The next step is the review on {date}.|I will write again on {later}.|The costs are as planned.|]",
	}, "Best regards,|Regards,|Best,|All the best,"},
	{[]string{ // thanks
		"Thank you[ very much| so much| again|] for the {thing} on {topic}.",
		"[{It} {was} very [useful|helpful|clear].|{It} {is} just what we needed.|{Other} was happy with {them} too.]",
		"[I have passed {them} on to {other}, who will use {them} in {his} talk in {city}.|I have only one question: who checked {them}?|I will read {them} again before {later}.|]",
		"[Let me buy you lunch on {day}.|I owe you one.|Have a good trip to {city}.|]",
	}, "Thanks again,|All the best,|Best wishes,|With many thanks,"},
	{[]string{ // travels
		"I will be in {city} [from {day} to {later}|on {date}|next week] for {topic}.",
		"[My train leaves at {time}.|My flight is at {time}.|I arrive at {time}.]",
		"[While I am away, {other} has the {thing}; please ask {him}.|{Other} is coming with me, and {he} will bring the {thing}.|I can be reached by phone.]",
		"[Is there anything that you need from {city}?|Shall we have dinner there?|I will be back in the office on {later}.|]",
	}, "Best,|See you soon,|Regards,|Until then,"},
}
