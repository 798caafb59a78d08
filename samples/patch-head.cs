#:property PublishAot=false
#:project ../src/Runtime/Runtime.csproj

// Which head knows it? Two prompts differ in one name. Heads of the first run are put into the second, one at a time, or taken out of the first.
// dotnet run -c Release samples/patch-head.cs
using System.Runtime.CompilerServices;
using ManagedTransformers.Models;
using ManagedTransformers.Tokenizers;

const string Clean = "def f(left, right):\n    return left +", Corrupted = "def f(left, other):\n    return left +";
string directory = Path.Combine(Root(), "models", "demo-codegen");
using var model = PretrainedModels.Load<ICausalLM>(directory);
Tokenizer tokenizer = Tokenizer.Load(directory);
int right = tokenizer.Encode(" right").Ids[0], other = tokenizer.Encode(" other").Ids[0];

// Every head's mix of the values, before the output projection: [batch, heads, sequence, head_dim].
using Session session = model.CreateSession();
using ActivationTrace clean = session.Trace("**.heads");
model.Forward(tokenizer.Encode(Clean).Ids, session);

Console.WriteLine($"score of \" right\" minus score of \" other\": "
    + $"{Lead(Clean):F2} after \"{Clean.Replace("\n", "\\n")}\", {Lead(Corrupted):F2} where other stands for right");
Console.WriteLine("layer head  taken out  put into the other prompt");
for (int layer = 0; layer < model.Config.Layers; layer++)
{
    string attention = model.Paths.Attention(layer);
    for (int head = 0; head < model.Config.Heads; head++)
    {
        double without = Lead(Clean, Intervention.ZeroHead(attention, head)), patched = Lead(Corrupted, Patch(attention, head));
        Console.WriteLine($"{layer,5} {head,4} {without,10:F2} {patched,26:F2}");
    }
}

// An edit of your own: the clean run's values of one head, for all tokens, in place of this run's.
Intervention Patch(string attention, int head) => new($"{attention}.heads", heads =>
{
    int size = heads.Shape[2] * heads.Shape[3];
    clean[heads.Name].Span.Slice(head * size, size).CopyTo(heads.Span[(head * size)..]);
});

// How much likelier the one name is than the other, as logits: the difference of their log probabilities.
double Lead(string prompt, params Intervention[] interventions)
{
    using Session run = model.CreateSession();
    using ActivationTrace edits = run.Trace(new TraceOptions { Names = [], Interventions = interventions });
    int[] ids = tokenizer.Encode(prompt).Ids;
    Span<float> scores = model.Forward(ids, run).Logits.Row(ids.Length - 1);
    return scores[right] - scores[other];
}

static string Root([CallerFilePath] string path = "") => Path.GetDirectoryName(Path.GetDirectoryName(path))!;
