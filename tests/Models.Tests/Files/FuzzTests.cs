using System.Text;

namespace ManagedTransformers.Models.Tests;

/// <summary>Damaged files, with fixed seeds: each opens, or is refused with a CheckpointException; nothing else may happen.</summary>
[TestFixture]
public class FuzzTests
{
    private static readonly byte[] Valid = RawSafetensors.Build(
        """{"__metadata__":{"format":"pt","x":"\u00e9"},"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b.weight":"""
        + """{"dtype":"BF16","shape":[2,2],"data_offsets":[8,16]},"c":{"dtype":"BOOL","shape":[],"data_offsets":[16,17]}}   """, 17);

    // What turns a number, a string or a structure into another one.
    private static readonly byte[] Spicy = Encoding.ASCII.GetBytes("{}[]\",:\\-0189eE. \0\n");

    [Test]
    public void Truncated_at_any_byte_a_file_is_refused()
    {
        for (int length = 0; length < Valid.Length; length++)
        {
            byte[] cut = Valid[..length];
            Assert.That(OpensOrRefuses(cut), Is.False, $"{length} bytes");
        }
    }

    [Test]
    public void With_any_one_bit_flipped_a_file_opens_or_is_refused()
    {
        int opened = 0;
        for (int bit = 0; bit < Valid.Length * 8; bit++)
        {
            byte[] bytes = (byte[])Valid.Clone();
            bytes[bit / 8] ^= (byte)(1 << (bit % 8));
            if (OpensOrRefuses(bytes)) opened++;
        }

        // Flips in data and names go unnoticed, those in structure do not.
        Assert.That(opened, Is.InRange(17 * 8, Valid.Length * 4));
    }

    [Test]
    public void With_random_damage_a_file_opens_or_is_refused([Range(1, 8)] int seed)
    {
        var random = new Random(seed);
        int opened = 0;
        for (int round = 0; round < 4000; round++)
            if (OpensOrRefuses(Damage(Valid, random))) opened++;
        Assert.That(opened, Is.LessThan(4000));
    }

    [Test]
    public void With_random_damage_an_index_opens_or_is_refused([Range(1, 4)] int seed)
    {
        byte[] index = RawSafetensors.Index(("a", "x.safetensors"), ("b", "y.safetensors"));
        var random = new Random(seed);
        int opened = 0;
        for (int round = 0; round < 4000; round++)
        {
            var files = new Dictionary<string, ReadOnlyMemory<byte>>
            {
                [Checkpoint.IndexFileName] = Damage(index, random),
                ["x.safetensors"] = RawSafetensors.WithTensors("a"),
                ["y.safetensors"] = RawSafetensors.WithTensors("b"),
            };
            if (OpensOrRefuses(() => Checkpoint.FromBytes(files))) opened++;
        }

        Assert.That(opened, Is.InRange(1, 3999));
    }

    private static byte[] Damage(byte[] valid, Random random)
    {
        List<byte> bytes = [.. valid];
        for (int change = random.Next(1, 5); change > 0 && bytes.Count > 1; change--)
        {
            int at = random.Next(4) == 0 ? random.Next(Math.Min(8, bytes.Count)) : random.Next(bytes.Count);
            switch (random.Next(5))
            {
                case 0: bytes[at] = (byte)random.Next(256); break;
                case 1: bytes[at] = Spicy[random.Next(Spicy.Length)]; break;
                case 2: bytes.RemoveAt(at); break;
                case 3: bytes.Insert(at, Spicy[random.Next(Spicy.Length)]); break;
                default: bytes.RemoveRange(at, random.Next(Math.Min(bytes.Count - at, 20))); break;
            }
        }

        return [.. bytes];
    }

    /// <summary>Opens from memory and from a stream, which must agree.</summary>
    private static bool OpensOrRefuses(byte[] bytes)
    {
        bool fromBytes = OpensOrRefuses(() => SafetensorsFile.FromBytes(bytes));
        bool fromStream = OpensOrRefuses(() => SafetensorsFile.FromStream(new MemoryStream(bytes)));
        Assert.That(fromStream, Is.EqualTo(fromBytes));
        return fromBytes;
    }

    private static bool OpensOrRefuses(Func<IDisposable> open)
    {
        try
        {
            using IDisposable file = open();
            return true;
        }
        catch (CheckpointException e)
        {
            Assert.That(e.Message, Is.Not.Empty);
            return false;
        }
    }
}
