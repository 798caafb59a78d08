#:property PublishAot=false
#:project ../src/Runtime/Runtime.csproj

// The logit lens (nostalgebraist 2020): what would the model answer if it ended after a layer?
// dotnet run -c Release samples/logit-lens.cs [TEXT]
using System.Runtime.CompilerServices;
using ManagedTransformers.Models;
using ManagedTransformers.Tokenizers;

string text = args.Length > 0 ? args[0] : "if __name__ ==";
string directory = Path.Combine(Root(), "models", "demo-codegen");
using var model = CodeGenForCausalLM.Load(directory);
Tokenizer tokenizer = Tokenizer.Load(directory);
int[] ids = tokenizer.Encode(text).Ids;
int last = model.Config.NLayer - 1;

// The residual stream is what blocks read from and add to; a hook on a block sees it after the block.
using Session session = model.CreateSession();
using ActivationTrace stream = session.Trace("transformer.drop", "transformer.h.*");
Tensor answer = model.Forward(ids, session).Logits;

Console.WriteLine($"after \"{text.Replace("\n", "\\n")}\" comes:");
for (int layer = -1; layer < last; layer++)
{
    string name = layer < 0 ? "transformer.drop" : $"transformer.h.{layer}";       // drop: the embeddings, before the first block
    // Whatever the last block gives is replaced, so ln_f and lm_head read the stream of this layer.
    using Session shortened = model.CreateSession();
    using ActivationTrace lens = shortened.Trace(new TraceOptions { Names = [], Interventions = [Intervention.Replace($"transformer.h.{last}", stream[name])] });
    Print(layer < 0 ? "embeddings" : $"layer {layer}", model.Forward(ids, shortened).Logits);
}
Print($"layer {last}", answer);

// The five best next tokens after the last one of the text.
void Print(string name, Tensor logits)
{
    float[] scores = logits.Row(ids.Length - 1).ToArray();
    double sum = scores.Sum(score => Math.Exp(score - scores.Max()));
    var best = scores.Index().OrderByDescending(one => one.Item).Take(5);
    Console.WriteLine($"{name,-11}" + string.Concat(best.Select(one => $"{Math.Exp(one.Item - scores.Max()) / sum,7:P0} {$"\"{Shown(one.Index)}\"",-12}")));
}

string Shown(int id) => tokenizer.Decode([id]).Replace("\n", "\\n");

static string Root([CallerFilePath] string path = "") => Path.GetDirectoryName(Path.GetDirectoryName(path))!;
