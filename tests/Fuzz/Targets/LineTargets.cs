using System.Text;
using ManagedTransformers.Cli;
using ManagedTransformers.Hub;

namespace ManagedTransformers.Fuzz;

/// <summary>Lines of JSON that mtx reads, and answers of the hub.</summary>
internal static class LineTargets
{
    private static readonly string s_file = Scratch.File("samples.jsonl");

    private static readonly LineMutator s_requests = new(new JsonMutator(
        [
            "input_ids", "attention_mask", "prompts", "options", "id", "name", "sequences", "sequences_scores", "texts",
            .. GenerationOption.All.Select(option => option.Name),
        ]));

    private static readonly LineMutator s_problems = new(new JsonMutator("task_id", "prompt", "id", "prompts", "inputs", "outputs", "max_gen_length",
        "completion", "{A}", "{{", "}}", "a/0"));

    private static readonly JsonMutator s_list = new("sha", "siblings", "rfilename", "model.safetensors", "model.safetensors.index.json", "config.json",
        "pytorch_model.bin", "1_Pooling/config.json", "../x", "a//b", "/etc", "model-00001-of-00002.safetensors");

    private const string List =
        """{"sha":"0123456789012345678901234567890123456789","siblings":[{"rfilename":"config.json"},{"rfilename":"model.safetensors"}]}""";

    private static readonly IReadOnlyList<Problem> s_known = ProblemFile.Read(
        "x", ["""{"task_id":"a/0","prompt":"x"}""", """{"task_id":"a/1","prompt":"y"}"""]);

    private static bool IsRefusal(Exception e) => e is FormatException or ManagedTransformersException;

    public static IEnumerable<FuzzTarget> All =>
    [
        new("generate-requests", s_requests, Requests, input => EachLine(input, line => GenerationRequest.Parse("x", line))) { IsRefusal = IsRefusal },
        new("sample-problems", s_problems, Problems, input => ProblemFile.Read("x", Lines(input))) { IsRefusal = IsRefusal },
        new("sample-file", s_problems, Samples, ReadSamples) { IsRefusal = IsRefusal, ShortRun = 1000 },
        new("tokenize-lines", new LineMutator(new JsonMutator()), () => [Seeds.Utf8("\"def f():\\n\"\n\"\\ud83d\\ude00\"\n\"é\"")],
            input => EachLine(input, line => TokenizeCommand.ParseLine(Utf8Input.Require(line, "x"), "x", 1))) { IsRefusal = IsRefusal },
        new("hub-list", s_list, () => [Seeds.Utf8(List)], ReadList),
    ];

    private static IEnumerable<byte[]> Requests()
    {
        yield return Seeds.Utf8("""
            {"input_ids":[[5,7],[1,2]],"attention_mask":[[1,1],[0,1]],"options":{"max_new_tokens":3,"num_beams":2}}
            {"prompts":["def f():","x"],"options":{"do_sample":true,"seed":1,"stop_strings":["a"]}}
            """);
    }

    private static IEnumerable<byte[]> Problems()
    {
        yield return Seeds.Utf8("""
            {"task_id":"HumanEval/0","prompt":"def f():\n"}
            {"id":1,"prompts":["set {A} to {{x}}","print"],"inputs":[{"A":[1,"b",null,true,{"k":"v"}]}],"outputs":[2],"max_gen_length":12}
            """);
    }

    private static IEnumerable<byte[]> Samples()
    {
        yield return Seeds.Utf8("{\"task_id\":\"a/0\",\"completion\":\"x\"}\n{\"task_id\":\"a/1\",\"completion\":\"y\"}\n");
        yield return Seeds.Utf8("{\"task_id\":\"a/0\",\"completion\":\"x\"}\n{\"task_id\":\"a/");
    }

    private static List<string> Lines(byte[] input)
    {
        using var reader = new StreamReader(new MemoryStream(input), Utf8Input.Encoding);
        var lines = new List<string>();
        while (reader.ReadLine() is string line)
            lines.Add(line);
        return lines;
    }

    // A line that is refused says nothing of the next one.
    private static void EachLine(byte[] input, Action<string> read)
    {
        Exception? refused = null;
        foreach (string line in Lines(input))
        {
            try
            {
                read(line);
            }
            catch (Exception e) when (IsRefusal(e))
            {
                refused = e;
            }
        }
        if (refused is not null)
            System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(refused);
    }

    // What is refused must stay as it was; else whole lines stay.
    private static void ReadSamples(byte[] input)
    {
        File.WriteAllBytes(s_file, input);
        try
        {
            using var file = new SampleFile(s_file, s_known);
        }
        catch (Exception e) when (IsRefusal(e))
        {
            Oracle.Require(File.ReadAllBytes(s_file).AsSpan().SequenceEqual(input), "A file that was refused has changed");
            throw;
        }
        byte[] kept = File.ReadAllBytes(s_file);
        Oracle.Require(kept.Length == 0 || kept[^1] == (byte)'\n', "The last line has no end");
        Oracle.Require(input.AsSpan().StartsWith(kept) || kept.AsSpan().StartsWith(input), "A line was changed");
    }

    private static void ReadList(byte[] input)
    {
        HubModelId model = HubModelId.Parse("a/b");
        (string commit, IReadOnlyList<string> files) = HubClient.ParseList("x", model, input);
        Oracle.Require(commit.Length == 40, "A commit has another length");
        string root = Path.GetFullPath("/snapshot");
        foreach (string file in HubClient.Wanted(model, files, all: true))
            Oracle.Require(RealPath.IsInside(Path.GetFullPath(Path.Combine(root, file)), root), $"The file {file} leads out of the folder");
        HubClient.Wanted(model, files, all: false);
    }
}
