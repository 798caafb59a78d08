using System.Text.Json;

namespace ManagedTransformers.Cli;

/// <summary>Reads problems, one JSON object per line: HumanEval's (task_id, prompt) and MTPB's (id, prompts, inputs, outputs, max_gen_length).</summary>
internal static class ProblemFile
{
    /// <summary>Reads all of them.</summary>
    /// <param name="file">The file's name, for messages.</param>
    /// <param name="lines">Its lines.</param>
    /// <exception cref="FormatException">A line is no problem, a name occurs twice, or there is no problem at all.</exception>
    public static IReadOnlyList<Problem> Read(string file, IEnumerable<string> lines)
    {
        var problems = new List<Problem>();
        var byName = new Dictionary<string, Problem>(StringComparer.Ordinal);
        int number = 0;
        foreach (string line in lines)
        {
            string where = $"{file}, line {++number}";
            if (string.IsNullOrWhiteSpace(line))
                continue;
            Problem problem = Parse(new JsonLine(where, Utf8Input.Require(line, where)));
            if (!byName.TryAdd(problem.TaskId, problem))
                throw new FormatException($"{where}: the task_id {problem.TaskId} is that of {byName[problem.TaskId].Where}; each problem needs its own.");
            problems.Add(problem);
        }
        return problems.Count > 0
            ? problems
            : throw new FormatException(
                $"{file} has no problems; one JSON object per line is needed, with task_id and prompt (HumanEval) or id and prompts (MTPB).");
    }

    private static Problem Parse(JsonLine line)
    {
        JsonElement id = line.Find("task_id") ?? line.Find("id") ?? throw line.Error("has no task_id; each problem needs one (MTPB's are called id)");
        string taskId = id.ValueKind switch
        {
            JsonValueKind.String when id.GetString() is { Length: > 0 } text => text,
            JsonValueKind.Number => id.GetRawText(),
            _ => throw line.Error($"has the task_id {id.GetRawText()}; a text is needed, such as \"HumanEval/0\""),
        };
        if (line.Find("prompts") is JsonElement prompts)
            return new MultiTurnProblem(taskId, line.Where, id, Cases(line, Texts(line, prompts)), MaxNewTokens(line));
        return line.Find("prompt") is JsonElement prompt
            ? new CompletionProblem(taskId, line.Where, line.Text("prompt", prompt))
            : throw line.Error("has neither prompt (a text to complete) nor prompts (a list of turns); one is needed");
    }

    private static string[] Texts(JsonLine line, JsonElement prompts) => prompts.ValueKind == JsonValueKind.Array && prompts.GetArrayLength() > 0
        ? [.. prompts.EnumerateArray().Select(prompt => line.Text("prompts", prompt) is { } text && !string.IsNullOrWhiteSpace(text)
            ? text
            : throw line.Error("has a blank turn in prompts; each turn must ask for something"))]
        : throw line.Error("has prompts that are no list of turns; at least one text is needed, such as [\"Add A and B.\"]");

    /// <summary>The turns for each input; as they are where there are no inputs.</summary>
    private static MultiTurnCase[] Cases(JsonLine line, string[] prompts)
    {
        if (line.Find("inputs") is not JsonElement inputs)
            return [new MultiTurnCase(prompts, null, null)];
        JsonElement outputs = line.Find("outputs") ?? throw line.Error("has inputs but no outputs; each input needs one");
        if (inputs.ValueKind != JsonValueKind.Array || outputs.ValueKind != JsonValueKind.Array || inputs.GetArrayLength() != outputs.GetArrayLength()
            || inputs.GetArrayLength() == 0)
            throw line.Error("has inputs and outputs that do not go together; two lists of the same length are needed, with at least one entry");
        return [.. inputs.EnumerateArray().Zip(outputs.EnumerateArray(), (input, output) =>
            new MultiTurnCase([.. prompts.Select(prompt => PromptTemplate.Fill(prompt, input, line))], input, output))];
    }

    private static int? MaxNewTokens(JsonLine line)
    {
        if (line.Find("max_gen_length") is not JsonElement value)
            return null;
        return value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out int most) && most >= 1
            ? most
            : throw line.Error($"has the max_gen_length {value.GetRawText()}; a number of at least 1 is needed");
    }
}
