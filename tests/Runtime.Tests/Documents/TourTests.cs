using System.Text.RegularExpressions;
using ManagedTransformers.Kernels;
using ManagedTransformers.Models;
using ManagedTransformers.Testing;
using ManagedTransformers.Tour;

namespace ManagedTransformers.Runtime.Tests;

/// <summary>docs/tour: its numbers are what samples/Tour computes at the Reference level, and its breakpoints are in the code.</summary>
[NonParallelizable]         // the index's sample names a folder of the clone, so the current directory is set
public sealed partial class TourTests
{
    private static readonly Dictionary<string, Lazy<IReadOnlyList<Block>>> Computed =
        Chapters.All.ToDictionary(chapter => chapter.Name, chapter => new Lazy<IReadOnlyList<Block>>(chapter.Run));

    public static IEnumerable<string> ChapterNames => Chapters.All.Select(chapter => chapter.Name);

    /// <summary>A place to stop: the method, the code in it, when, and the names that the table below it explains.</summary>
    public sealed record Breakpoint(string Page, string File, string Type, string Method, string Code, string When, IReadOnlyList<string> Variables)
    {
        public override string ToString() => $"{Page}: {Type}.{Method}, {Code}";
    }

    [TestCaseSource(nameof(ChapterNames))]
    public void The_numbers_of_the_page_are_what_the_code_gives(string chapter)
    {
        string[] shown = [.. Fence().Matches(PageOf(chapter)).Where(fence => fence.Groups["id"].Success).Select(Described)];
        Assert.That(shown, Is.EqualTo(Computed[chapter].Value.Select(block => $"{block.Id}\n{block.Text}")));

        static string Described(Match fence) => $"{fence.Groups["id"].Value}\n{fence.Groups["body"].Value.TrimEnd('\n')}";
    }

    [TestCaseSource(nameof(ChapterNames))]
    public void No_number_stands_so_near_an_edge_that_another_CPU_might_round_it_otherwise(string chapter)
    {
        var near = new List<string>();
        foreach (Block block in Computed[chapter].Value)
        {
            foreach ((double value, int decimals) in block.Numbers.Where(number => double.IsFinite(number.Value)))
            {
                double units = Math.Abs(value) * Math.Pow(10, decimals);
                double toEdge = Math.Abs(units - Math.Floor(units) - 0.5);
                // Mathematical functions differ in their last bits, and floats between layers carry that on: a millionth of the number is ample.
                if (toEdge < 0.001 + (1e-6 * units))
                    near.Add($"{block.Id}: {value:R} at {decimals} decimals");
            }
        }
        Assert.That(near, Is.Empty);
    }

    [TestCaseSource(nameof(ChapterNames))]
    public void Decimals_in_the_sentences_stand_in_a_block_of_the_page(string chapter)
    {
        string page = PageOf(chapter), blocks = string.Concat(Computed[chapter].Value.Select(block => $"{block.Text}\n"));
        HashSet<string> numbers = [.. Decimal().Matches(blocks).Select(match => match.Value)];
        string sentences = NotProse().Replace(Fence().Replace(page, ""), "");
        Assert.That(Decimal().Matches(sentences).Select(match => match.Value).Distinct(), Is.SubsetOf(numbers));
    }

    [Test]
    public void Every_page_is_a_chapter_and_the_index_lists_them_in_order()
    {
        string[] pages = [.. Directory.GetFiles(Folder, "*.md").Select(path => Path.GetFileName(path)!).Where(name => name != "README.md")];
        Assert.That(pages, Is.EquivalentTo(ChapterNames.Select(FileOf)));
        string index = File.ReadAllText(Path.Combine(Folder, "README.md"));
        Assert.That(PageLink().Matches(index).Select(link => link.Groups["page"].Value).Distinct(), Is.EqualTo(ChapterNames.Select(FileOf)));
        foreach (string name in ChapterNames)
            Assert.That(PageOf(name), Does.Contain($"dotnet run --project samples/Tour -- {name}\n"));
    }

    public static IEnumerable<Breakpoint> Breakpoints() => ChapterNames.SelectMany(name => Stop().Matches(PageOf(name)).Select(stop => new Breakpoint(
        name, stop.Groups["path"].Value, stop.Groups["type"].Value, stop.Groups["method"].Value, stop.Groups["code"].Value, stop.Groups["when"].Value,
        [.. TableRow().Matches(stop.Groups["table"].Value).Select(row => row.Groups["name"].Value)])));

    [TestCaseSource(nameof(Breakpoints))]
    public void The_breakpoint_is_in_the_code_with_what_the_page_says_is_there(Breakpoint stop)
    {
        string path = Path.GetFullPath(Path.Combine(Folder, stop.File));
        Assert.That(path, Does.Exist);
        string[] lines = TypeIn(File.ReadAllLines(path), stop.Type);
        string body = MethodIn(lines, stop.Method);
        Assert.That(body, Does.Contain(stop.Code));
        Assert.That(stop.Variables, Is.Not.Empty, "a table says what is there");
        foreach (string name in stop.Variables.SelectMany(Names))
            Assert.That(body, Does.Match($@"\b{name}\b"), $"{name} is not in {stop.Type}.{stop.Method}");
        // A condition may ask a property of the object, too.
        foreach (string name in Names(Text().Replace(stop.When, "")))
            Assert.That(string.Join('\n', lines), Does.Match($@"\b{name}\b"), $"{name} of the condition is not in {stop.Type}");

        static IEnumerable<string> Names(string code) => Identifier().Matches(code).Select(match => match.Value);
    }

    [Test]
    public void Every_page_has_breakpoints_in_the_form_that_is_checked()
    {
        foreach (string name in ChapterNames)
        {
            int said = PageOf(name).Split("**Breakpoint").Length - 1;
            Assert.That(said, Is.GreaterThan(0).And.EqualTo(Breakpoints().Count(stop => stop.Page == name)), name);
        }
    }

    [Test]
    public void The_index_shows_how_a_program_takes_the_plain_loops()
    {
        string before = Environment.CurrentDirectory;
        Environment.CurrentDirectory = TestData.Root;
        try
        {
            Load();
        }
        finally
        {
            Environment.CurrentDirectory = before;
        }
        DocumentSamples.AssertSame(Path.Combine("docs", "tour", "README.md"));
    }

    private static void Load()
    {
        // sample
        var load = new LoadOptions { Kernels = new KernelOptions { Level = KernelLevel.Reference, MaxThreads = 1 } };
        using var model = PretrainedModels.Load<ICausalLM>("models/demo-codegen", load);
        // end
        using Session session = model.CreateSession();
        Assert.That(session.Kernels, Is.EqualTo(load.Kernels));
    }

    private static string Folder => Path.Combine(TestData.Root, "docs", "tour");

    private static string FileOf(string chapter) => $"{ChapterNames.ToList().IndexOf(chapter) + 1}-{chapter}.md";

    private static string PageOf(string chapter) => File.ReadAllText(Path.Combine(Folder, FileOf(chapter)));

    // A file may hold several types: from the line that declares this one to the next that does.
    private static string[] TypeIn(string[] lines, string type)
    {
        int first = Array.FindIndex(lines, line => Declares(line) && line.Split(' ', '(', '<', ';').Contains(type));
        Assert.That(first, Is.GreaterThanOrEqualTo(0), $"there is no {type}");
        return [lines[first], .. lines.Skip(first + 1).TakeWhile(line => !Declares(line))];

        static bool Declares(string line) => line.StartsWith("public ", StringComparison.Ordinal) || line.StartsWith("internal ", StringComparison.Ordinal);
    }

    // From the line that declares it to the one that closes it, all in the layout that the formatter keeps; all overloads.
    private static string MethodIn(string[] lines, string method)
    {
        var body = new List<string>();
        for (int i = 0; i < lines.Length; i++)
        {
            if (!Regex.IsMatch(lines[i], $@"^    (public|private|internal|protected)\b[^=;]*?\b{method}(<\w+(, \w+)*>)?\(", RegexOptions.None,
                TimeSpan.FromSeconds(1)))
                continue;
            bool isExpression = lines[i].Contains("=>", StringComparison.Ordinal);
            for (; i < lines.Length; i++)
            {
                body.Add(lines[i]);
                if (lines[i] == "    }" || (isExpression && lines[i].EndsWith(';')) || lines[i] == "    };")
                    break;
            }
        }
        Assert.That(body, Is.Not.Empty, $"there is no method {method}");
        return string.Join('\n', body);
    }

    [GeneratedRegex(@"^```(?<lang>\w*)( tour:(?<id>[a-z0-9-]+))?\n(?<body>[\s\S]*?)^```$", RegexOptions.Multiline | RegexOptions.ExplicitCapture,
        matchTimeoutMilliseconds: 5000)]
    private static partial Regex Fence();

    // Formulas, code in the line, links, and numbers of papers and of their sections.
    [GeneratedRegex(@"\$\$[\s\S]*?\$\$|\$`[^`]*`\$|\$[^$\n]+\$|`[^`\n]*`|\]\([^)]*\)|arXiv:\d+\.\d+|sections? \d[\d.]*( and \d[\d.]*)?",
        RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 5000)]
    private static partial Regex NotProse();

    [GeneratedRegex(@"\d+\.\d+", RegexOptions.None, matchTimeoutMilliseconds: 5000)]
    private static partial Regex Decimal();

    [GeneratedRegex(@"^\*\*Breakpoint:\*\* \[`(?<type>\w+)\.(?<method>\w+)`\]\((?<path>[^)]+\.cs)\) "
        + @"at `(?<code>[^`]+)`(, when `(?<when>[^`]+)`)?[^|]*?\n\n(?<table>(\|.*\n)+)",
        RegexOptions.Multiline | RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 5000)]
    private static partial Regex Stop();

    [GeneratedRegex(@"^\| `(?<name>[^`]+)` \|", RegexOptions.Multiline | RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 5000)]
    private static partial Regex TableRow();

    [GeneratedRegex(@"\b[A-Za-z_]\w*\b", RegexOptions.None, matchTimeoutMilliseconds: 5000)]
    private static partial Regex Identifier();

    [GeneratedRegex(@"""[^""]*""", RegexOptions.None, matchTimeoutMilliseconds: 5000)]
    private static partial Regex Text();

    [GeneratedRegex(@"\]\((?<page>[\w-]+\.md)\)", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 5000)]
    private static partial Regex PageLink();
}
