using System.Text.Json.Nodes;

namespace ManagedTransformers.Models;

/// <summary>What a file of activations says of itself under <c>__metadata__</c>; all values but <c>format</c> are JSON.</summary>
internal static class TraceMetadata
{
    public static Dictionary<string, string> Of(PretrainedModel model, IReadOnlyList<TracedPass> passes, IEnumerable<string> names)
    {
        var metadata = new Dictionary<string, string>
        {
            ["format"] = "pt",
            ["names"] = new JsonArray([.. names.Select(name => (JsonNode)name)]).ToJsonString(),
            ["architecture"] = ((JsonNode)model.Architecture).ToJsonString(),
            ["made_by"] = ((JsonNode)$"ManagedTransformers {typeof(TraceMetadata).Assembly.GetName().Version?.ToString(3)}").ToJsonString(),
        };
        // The inputs of a later pass mean nothing without those before it.
        if (passes is [{ IsWhole: true, InputIds: { } ids } pass])
        {
            metadata["input_ids"] = Rows(ids, pass);
            if (pass.AttentionMask is { } mask) metadata["attention_mask"] = Rows(mask, pass);
        }
        return metadata;
    }

    private static string Rows(IReadOnlyList<int> values, TracedPass pass)
    {
        var rows = new JsonArray();
        for (int row = 0; row < pass.BatchSize; row++)
            rows.Add((JsonNode)new JsonArray([.. values.Skip(row * pass.SequenceLength).Take(pass.SequenceLength).Select(value => (JsonNode)value)]));
        return rows.ToJsonString();
    }
}
