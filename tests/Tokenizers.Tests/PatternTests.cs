using System.Text;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using ManagedTransformers.Testing;

namespace ManagedTransformers.Tokenizers.Tests;

/// <summary>Regular expressions of tokenizer.json, and what is split at them.</summary>
[Parallelizable(ParallelScope.All)]
public class PatternTests
{
    private const string Cl100k =
        @"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    // Its ByteLevel is not the last: digits are sought in the characters of bytes.
    private const string Falcon = """
        {"type":"Sequence","pretokenizers":[{"type":"Punctuation","behavior":"Contiguous"},{"type":"ByteLevel","add_prefix_space":false},
         {"type":"Digits","individual_digits":false},{"type":"Split","pattern":{"Regex":"[0-9][0-9][0-9]"},"behavior":"Isolated"}]}
        """;

    [Test]
    public void A_class_of_any_number_of_intersections_takes_no_stack()
    {
        var pattern = new RegexPattern($"[a{string.Concat(Enumerable.Repeat("&&a", 1_300))}]", "regex");
        var thread = new Thread(() => Assert.That(pattern.TryFind("ba", 0, out int start, out _) ? start : -1, Is.EqualTo(1)), maxStackSize: 256 << 10);
        thread.Start();
        thread.Join();
    }

    [TestCase("a|ab", "ab", "a")]                        // alternatives in order, not the longest
    [TestCase("ab|a", "ab", "ab")]
    [TestCase("a*?b", "aab", "aab")]
    [TestCase("a{2,3}", "aaaaa a", "aaa|aa")]
    [TestCase("a{2}", "aaaaa", "aa|aa")]
    [TestCase("a{2,}b?", "aaab a", "aaab")]
    [TestCase("(?:ab)+c|a", "ababab", "a|a|a")]
    [TestCase(@"\p{L}+", "x𝔘ß1", "x𝔘ß")]                 // code points: a letter beyond U+FFFF is a letter
    [TestCase(@"[^\s\p{L}]", "a ☃𝟘", "☃|𝟘")]
    [TestCase(@"\p{Lu}\p{Ll}*|\P{L}+", "AbC__d", "Ab|C|__")]
    [TestCase(@"(?i:'S|k)k", "'skKk", "'sk|Kk")]
    [TestCase(@"(?i:[^a])", "aAb", "b")]
    [TestCase(@"\s+(?!\S)|\s+", "a   b ", "  | | ")]
    [TestCase(@"(?<=a)b|(?<!a)c", "abacbc", "b|c")]
    [TestCase(@"^a|b$|\Ac", "ab\nab", "a|b|a|b")]
    [TestCase(@"[\u0041-C\x{44}\-\]]", "ABCDE-]", "A|B|C|D|-|]")]
    [TestCase(@"[一-龥]+.", "a你好b", "你好b")]
    [TestCase(@"\w+", "می\u200Cخواهم ²_\u0301", "می|خواهم|²_\u0301")]    // joiners are not in \w, ² is
    [TestCase(@"[\w]+|\W", "a\u200D²", "a|\u200D")]                 // but not in brackets
    [TestCase(@"[^\w\s]+", "a\u200D² ¼", "\u200D²|¼")]
    [TestCase(@"\d+|\s", "१2²\u0085\u200B", "१2|\u0085")]
    [TestCase(@"\p{Letter}+|\p{decimal-number}|\p{l}", "aé1Ⅷ", "aé|1")]
    [TestCase(@"\p{Alpha}+|\p{Upper}", "aⅧ\u0345²", "aⅧ\u0345")]
    [TestCase(@"\p{Han}+|\p{Latin}|\p{Hiragana}", "日本ーaのß", "日本|a|の|ß")]
    [TestCase(@"[^\r\n\p{L}]?+\p{L}+|\s++$|\s", " a\nb  ", " a|\n|b|  ")]
    [TestCase("a++a|b", "aab", "b")]                    // possessive: nothing is given back
    [TestCase("(?>a{1,3})a", "aaaa aaa", "aaaa")]
    [TestCase(@"\d{1,3}+|a{2}?", "12345aa", "12345|aa")] // in Ruby's syntax any number of times, and at most once
    [TestCase(@"\p{N}{1,3}(?=(?:\d{3})*\b)", "1234567 12 123456a", "1|234|567|12")]
    [TestCase("(?!ab)a|(?<=ab|c)d", "ab ac abd bd cd", "a|d|d")]
    [TestCase(@"\b.|x\B", "a² xx", "a| |x")]
    [TestCase(@"\R\n|\R|a\Z", "\r\n\u2028a\n", "\r\n|\u2028|a|\n")]
    [TestCase(@"\h+|\H", "fFg1", "fF|g|1")]
    [TestCase("[[:punct:]]+|[[:^alpha:]]|[[:alpha:][:digit:]]+", "$+a1 ", "$+|a1| ")]
    [TestCase("[a-z&&[^aeiou]]+|[^a-z&&b-d]", "abcde1", "a|bcd|e|1")]
    [TestCase("(?i)a|b", "A B", "A|B")]
    [TestCase("a(?i)b|c", "aB C ac", "aB|ac")]          // up to the end of the group, alternatives included
    [TestCase("(?<name>a)(?m:.)(?-m:.)", "a\nb a\n\n", "a\nb")]
    [TestCase(@"(?i:\p{Lu})", "aA1ß", "A")]
    [TestCase(@"(?i:[\p{Lu}])", "aA1ß", "a|A|ß")]
    [TestCase(@"(?i:ſ|Ω|ς)", "sSſΩΣ", "s|S|ſ|Ω|Σ")]
    public void A_regex_finds_what_a_backtracking_engine_finds(string regex, string text, string matches) =>
        Assert.That(string.Join('|', All(new RegexPattern(regex, "regex"), text)), Is.EqualTo(matches));

    // Where nothing is matched; each match between bars.
    [TestCase("", "ab", "||")]
    [TestCase("a*", "baab", "|aa|")]                    // none at the end of another
    [TestCase("a??", "aa", "||")]
    [TestCase("(?=a)|b", "aab", "||b")]
    [TestCase("(|a)+", "aa", "||")]                     // a round that takes nothing is the last
    [TestCase("(a|b*)*", "ab", "ab")]
    [TestCase("^", "a\n\nb\n", "||")]                    // no line begins behind the last line end
    [TestCase("$", "a\n\n", "||")]
    public void A_regex_finds_where_nothing_is(string regex, string text, string matches) =>
        Assert.That(string.Join('|', All(new RegexPattern(regex, "regex"), text)), Is.EqualTo(matches));

    [TestCase("""{"String":""}""", "a|😀|b")]
    [TestCase("""{"Regex":""}""", "a|😀|b")]
    [TestCase("""{"Regex":"b*"}""", "a|😀|b")]
    public void A_split_at_nothing_is_around_every_character(string pattern, string words) =>
        Assert.That(Words(new JsonObject
        {
            ["type"] = "Split", ["pattern"] = JsonNode.Parse(pattern), ["behavior"] = "Isolated",
        }, "a😀b"), Is.EqualTo(words));

    [Test]
    public void A_replaced_nothing_is_before_and_after_every_character()
    {
        var nothing = new LiteralPattern("");
        var text = new NormalizedText("a😀", 0, 3, CancellationToken.None);
        text.Replace(nothing, "-");
        AlignedText aligned = text.ToAligned();
        Assert.Multiple(() =>
        {
            Assert.That(new ReplaceNormalizer(nothing, "-").NormalizeText("a😀", CancellationToken.None), Is.EqualTo("-a-😀-"));
            Assert.That(new ReplaceNormalizer(nothing, "-").NormalizeText("", CancellationToken.None), Is.Empty);
        });
        Assert.That(aligned.Value.ToString(), Is.EqualTo("-a-😀-"));
        Assert.That((aligned.Start(0), aligned.End(1), aligned.Start(2), aligned.End(3)), Is.EqualTo((0, 0, 0, 1)));
    }

    [TestCase("(a", "a ( without a )")]
    [TestCase("a)", "a ) without a (")]
    [TestCase("[a", "its end")]
    [TestCase("*a", "a quantifier that follows nothing")]
    [TestCase(@"(a)\1", @"\1")]
    [TestCase(@"\p{Klingon}", "the property Klingon")]
    [TestCase("(?:ab)++", "a possessive quantifier of more than one class")]
    [TestCase("(?>ab|a)b", "an atomic group of more than one class with a quantifier")]
    [TestCase("(?>(a|ab))c", "an atomic group")]
    [TestCase("(?<=a+)b", "a look behind without a longest match")]
    [TestCase("a+{2}", "a quantifier behind another")]
    [TestCase("a{,}", "this count")]
    [TestCase("(?x:a b)", "this kind of group")]
    [TestCase("[[:word]]", "this kind of class")]
    [TestCase("(?i:straße)", "another number of characters")]
    [TestCase("(?i:first)", "another number of characters")]
    [TestCase(@"\X", @"\X")]
    [TestCase(@"\u004", "no hexadecimal number")]
    [TestCase("(a{1000}){1000}", "more than 1000 steps")]
    [TestCase("(?=a{500})(?=a{500})", "more than 1000 steps")]
    [TestCase("a{2147483647}", "more than 1000 steps")]
    [TestCase("[b-a]", "a range from high to low")]
    public void What_cannot_be_compiled_is_refused_with_its_place(string regex, string says) =>
        Assert.That(() => new RegexPattern(regex, "pre_tokenizer.pattern"),
            Throws.TypeOf<TokenizerException>().With.Message.Contains(says).And.Message.Contains("pre_tokenizer.pattern is \""));

    [Test]
    public void Nesting_is_limited([Values('(', '[')] char open) =>
        Assert.That(() => new RegexPattern(new string(open, 4_000), "regex"), Throws.TypeOf<TokenizerException>().With.Message.Contains("nested"));

    [Test, CancelAfter(20_000)]
    public void A_hostile_regex_ends_soon()
    {
        // A backtracking engine tries 2 to the power of the length.
        Assert.That(All(new RegexPattern("(?:a*)*b|(?:a|a)*c", "regex"), new string('a', 20_000)), Is.Empty);
    }

    [TestCase("a.*b|a", 100_000), CancelAfter(60_000)]
    [TestCase(@"\s+$|a.*x|a", 100_000)]
    [TestCase("(?:a.{0,300}b)|a", 20_000)]
    [TestCase("([a-z]+)*1|[a-z]", 20_000)]
    [TestCase("(a*?)*?b|a", 20_000)]
    public void Matches_that_each_would_read_the_whole_text_are_found_in_linear_time(string regex, int length) =>
        Assert.That(All(new RegexPattern(regex, "regex").ForOneText(), new string('a', length)), Has.Count.EqualTo(length).And.All.EqualTo("a"));

    [Test]
    public void Reading_backwards_finds_the_same_matches()
    {
        string[] regexes =
        [
            Cl100k, "a.*b|a", "a|ab", "ab|a", "a*?b", "a{2,3}", "a{2,}b?|ß", "(?:ab)+c|a", "(?:a*)*b|(?:a|a)*1", "(?:a|b?)+?1|(?:a?b*)+ß", @"(?<=a)b|(?<!a)1",
            @"^a|b$|\A1", @"\s+(?!\S)|\s+", @"[^\s\p{L}]𝔘?|\p{L}+?b",
            "a++|b", "(?>a+)b|1", @"(?=a*b)a|\b.", "(?<=ab|1)b|a(?!b1)", @"\Ra?|(?<!ab)1\B",
            "a*", "b??|a", "(?=a)|b", "(|a)+", "(a|b*)*", "(a*?)*?b|", "^", "$",
        ];
        string[] pieces = ["a", "b", "a", "b", "1", " ", "\n", "ß", "𝔘", "'s"];
        var random = new Random(3);
        foreach (string regex in regexes)
        {
            var pattern = new RegexPattern(regex, "regex");
            for (int i = 0; i < 500; i++)
            {
                string text = string.Concat(Enumerable.Range(0, random.Next(1, 20)).Select(_ => pieces[random.Next(pieces.Length)]));
                Assert.That(All(pattern.ForOneText(patience: -1), text), Is.EqualTo(All(pattern, text)), $"{regex} in {text}");
            }
        }
    }

    [Test]
    public void Matches_and_looks_in_a_long_text_are_those_of_the_runtimes_engine()
    {
        // Looks ahead and behind that read some hundred characters at each place, in a text of several blocks.
        string[] regexes =
        [
            "a(?=[ab]*1)", "(?<!1[ab]{0,300})b", "a(?![ab]*1𝔘)b|(?<=1[ab]{1,200}|b)a", "b(?=(?:[ab](?=[ab]))*.1)|a(?<=b.)", "a[ab]*1|a[ab]*!|b",
        ];
        var random = new Random(11);
        string text = string.Concat(Enumerable.Range(0, 9_000).Select(_ =>
            random.Next(400) switch { 0 => "1", 1 => "𝔘", 2 => "1𝔘", < 200 => "a", _ => "b" }));
        foreach (string regex in regexes)
        {
            string[] expected = [.. Regex.Matches(text, regex, RegexOptions.None, TimeSpan.FromMinutes(1)).Select(match => match.Value)];
            var pattern = new RegexPattern(regex, "regex");
            Assert.That(All(pattern.ForOneText(), text), Is.EqualTo(expected), regex);
            Assert.That(All(pattern.ForOneText(patience: -1), text), Is.EqualTo(expected), $"{regex}, read backwards");
        }
    }

    [TestCase("a(?=a*b)|a"), CancelAfter(60_000)]
    [TestCase("a(?<!b[ab]{0,450})|a")]
    [TestCase("a(?=(?:a(?=a*c))*b)|a")]
    public void Looks_that_each_read_far_are_found_in_linear_time(string regex) =>
        Assert.That(All(new RegexPattern(regex, "regex").ForOneText(), new string('a', 50_000)), Has.Count.EqualTo(50_000).And.All.EqualTo("a"));

    [Test, CancelAfter(60_000)]
    public void Sixty_thousand_digits_are_split_in_threes_from_the_right()
    {
        // GLM's pattern; each place looks ahead to the end of the digits.
        List<string> found = All(new RegexPattern(@"\p{N}{1,3}(?=(?:\d{3})*\b)", "regex").ForOneText(), new string('7', 60_001));
        Assert.That(found, Has.Count.EqualTo(20_001).And.ItemAt(0).EqualTo("7").And.ItemAt(20_000).EqualTo("777"));
    }

    [Test]
    public void A_search_with_a_large_expression_takes_little_memory_beside_the_text()
    {
        // 498 steps at 200,001 places: a bit for each would be 13 MB.
        var pattern = new RegexPattern("(?:a{0,60}b){8}|a", "regex");
        string text = new('a', 200_000);
        long bytes = Allocations.Of(() => pattern.ForOneText(patience: -1).TryFind(text, 0, out _, out _));
        Assert.That(bytes, Is.LessThan(2 << 20));
    }

    [TestCase("a{0,999}"), TestCase("(?:(?:(?:(?:x|a{0,450})y|b)z|c)|d)"), TestCase("(?=a{0,200}b)(?=a{0,200}c)")]
    public void What_is_compiled_is_written_once(string regex) =>
        Assert.That(Allocations.Of(() => Compile(regex)), Is.LessThan(200_000));

    [Test]
    public void An_expression_of_sixty_thousand_alternatives_is_refused_before_it_is_read()
    {
        string regex = string.Join('|', Enumerable.Range(0, 60_000).Select(i => $"a{i:x}"));
        Assert.That(() => new RegexPattern(regex, "pre_tokenizer.pattern"), Throws.TypeOf<TokenizerException>().With.Message.Contains(
            $"pre_tokenizer.pattern is \"a0|a1|").And.Message.Contains($"of {regex.Length} characters; at most 4096 are possible"));
        Assert.That(Allocations.Of(() => Compile(regex)), Is.LessThan(50_000));
    }

    [Test]
    public void The_pattern_that_is_matched_by_hand_matches_as_the_engine_does([Values(1, 3)] int digits)
    {
        string source = digits == 3 ? Cl100k : Cl100k.Replace("{1,3}", "", StringComparison.Ordinal);
        TextPattern byHand = LineAwarePattern.Of(source)!;
        var engine = new RegexPattern(source, "regex");
        string[] pieces =
        [
            "a", "ß", "'", "s", "T", "LL", "r", "e", "ſ", " ", " ", "\t", "\n", "\r\n",
            "1", "23", "½", "!", "…", "𝔘", "☃", "\u0301", "\u00A0", "\u3000",
        ];
        var random = new Random(7);
        for (int i = 0; i < 5000; i++)
        {
            var text = new StringBuilder();
            for (int n = random.Next(1, 14); n > 0; n--) text.Append(pieces[random.Next(pieces.Length)]);
            Assert.That(All(byHand, text.ToString()), Is.EqualTo(All(engine, text.ToString())), text.ToString());
        }
    }

    [TestCase(" {2,}", "a  b   c d  ", "  |   |  ")]
    [TestCase("x{1,}", "axxb", "xx")]
    public void Runs_that_are_matched_by_hand_match_as_the_engine_does(string regex, string text, string matches)
    {
        Assert.That(string.Join('|', All(RunPattern.Of(regex)!, text)), Is.EqualTo(matches));
        Assert.That(string.Join('|', All(new RegexPattern(regex, "regex"), text)), Is.EqualTo(matches));
    }

    [TestCase("Removed", false, "ab|c")]
    [TestCase("Isolated", false, "-|-|ab|-|c|-")]
    [TestCase("MergedWithPrevious", false, "-|-|ab-|c-")]
    [TestCase("MergedWithNext", false, "-|-ab|-c|-")]
    [TestCase("Contiguous", false, "--|ab|-|c|-")]
    [TestCase("Removed", true, "-|-|-|-")]
    [TestCase("MergedWithNext", true, "-|-|ab-|c-")]
    public void A_split_keeps_its_matches_as_the_behaviour_says(string behavior, bool invert, string words) =>
        Assert.That(Words(new JsonObject
        {
            ["type"] = "Split", ["pattern"] = new JsonObject { ["String"] = "-" }, ["behavior"] = behavior, ["invert"] = invert,
        }, "--ab-c-"), Is.EqualTo(words));

    [TestCase("""{"type":"Whitespace"}""", "it's_a  b\u00A0!?ü", "it|'|s_a|b|!?|ü")]
    [TestCase("""{"type":"WhitespaceSplit"}""", " it's\u3000a\n", "it's|a")]
    [TestCase("""{"type":"UnicodeScripts"}""", "どこで生れ。Yes", "どこで生れ|。|Yes")]
    [TestCase("""{"type":"UnicodeScripts"}""", "Apples are りんご 林檎", "Apples are |りんご 林檎")]
    [TestCase("""{"type":"UnicodeScripts"}""", "タワーー?ー", "タワーー|?|ー")]
    [TestCase("""{"type":"UnicodeScripts"}""", "עברית عربى हिन्दी ไทย 한국어", "עברית |عربى |हिन्दी |ไทย |한국어")]
    [TestCase("""{"type":"UnicodeScripts"}""", "e\u0301 \u0301", "e|\u0301 \u0301")]              // accents have a script of their own
    [TestCase("""{"type":"UnicodeScripts"}""", "𐐨😀\u0378a", "𐐨|😀\u0378|a")]                     // what is not assigned joins any
    [TestCase("""{"type":"UnicodeScripts"}""", "  \t x1 y", "\t |x|1 |y")]                        // the first spaces are left out
    [TestCase("""{"type":"UnicodeScripts"}""", "   ", "")]
    [TestCase("""{"type":"Punctuation"}""", "a, b!?", "a|,| b|!|?")]
    [TestCase("""{"type":"Punctuation","behavior":"Contiguous"}""", "a, b!?", "a|,| b|!?")]
    [TestCase("""{"type":"CharDelimiterSplit","delimiter":"x"}""", "xaxxb", "a|b")]
    [TestCase("""{"type":"Metaspace","prepend_scheme":"always"}""", "a  b", "▁a|▁|▁b")]
    [TestCase("""{"type":"Metaspace","add_prefix_space":false}""", "a b", "a|▁b")]
    [TestCase("""{"type":"Metaspace","split":false}""", "a b", "▁a▁b")]
    [TestCase("""{"type":"Sequence","pretokenizers":[{"type":"WhitespaceSplit"},{"type":"Metaspace"}]}""", "a b", "▁a|▁b")]
    [TestCase("""{"type":"FixedLength","length":2}""", "a😀bcd", "a😀|bc|d")]
    [TestCase("""{"type":"FixedLength"}""", "abcdefg", "abcde|fg")]
    [TestCase(Falcon, "a é 1234, b", "a|ĠÃ©|Ġ|123|4|,|Ġb")]
    public void Pre_tokenizers_split_as_those_of_the_library(string json, string text, string words) =>
        Assert.That(Words(JsonNode.Parse(json)!.AsObject(), text), Is.EqualTo(words));

    private static string Words(JsonObject preTokenizer, string text)
    {
        var model = new JsonObject { ["type"] = "BPE", ["vocab"] = new JsonObject(), ["merges"] = new JsonArray() };
        Tokenizer tokenizer = Tiny.Load(new JsonObject { ["pre_tokenizer"] = preTokenizer, ["model"] = model });
        var words = new WordList();
        tokenizer.Parts.PreTokenizer!.Split(new AlignedText(text), 0, text.Length, words);
        return string.Join('|', words.Words);
    }

    private static void Compile(string regex)
    {
        try
        {
            _ = new RegexPattern(regex, "regex");
        }
        catch (TokenizerException)
        {
        }
    }

    // Oniguruma's doc/RE, "POSIX bracket", in Unicode.
    [TestCase("alnum", "aZ1é\u0663gG")]
    [TestCase("alpha", "aZégG")]
    [TestCase("ascii", "aZ1_$- \t\n\0gG\u007F")]
    [TestCase("blank", " \t\u00A0")]
    [TestCase("cntrl", "\t\n\0\u007F\u0080")]
    [TestCase("digit", "1\u0663")]
    [TestCase("graph", "aZ1_$-é\u0663gG")]
    [TestCase("lower", "aég")]
    [TestCase("print", "aZ1_$- é\u0663\u00A0gG")]
    [TestCase("punct", "_$-")]
    [TestCase("space", " \t\n\u00A0")]
    [TestCase("upper", "ZG")]
    [TestCase("word", "aZ1_é\u0663gG")]
    [TestCase("xdigit", "a1")]
    public void Posix_classes_have_their_characters(string name, string members)
    {
        const string Characters = "aZ1_$- \t\n\0é\u0663\u00A0gG\u007F\u0080";
        Assert.That(string.Concat(All(new RegexPattern($"[[:{name}:]]", "regex"), Characters)), Is.EqualTo(members));
    }

    private static List<string> All(TextPattern pattern, string text)
    {
        var matches = new List<string>();
        for (var found = new Matches(pattern, text); found.Next(out int start, out int end);) matches.Add(text[start..end]);
        return matches;
    }

    private sealed class WordList : IWordConsumer
    {
        public List<string> Words { get; } = [];

        public void Add(in AlignedText text, int start, int end) => Words.Add(text.Value[start..end].ToString());
    }
}
